#include "judge.h"

#include "oracle.h"
#include "report.h"

#include <stdio.h>
#include <string.h>

/* One flow for each device, so that flow and device numbers are the same. */
static void set_up(uint32_t device_number, uint32_t conversation_number)
{
    device_count = flow_count = device_number;
    devices = make(device_count, sizeof *devices);
    flows = make(flow_count, sizeof *flows);
    for (uint32_t index = 0; index < device_count; index++) {
        devices[index].phase = LIVE;
        devices[index].session = 1;
        devices[index].operations = (struct operations){.tail = 1, .floor = 1, .head = 1};
        flows[index].device = index;
    }
    for (uint32_t index = 0; index < conversation_number; index++) {
        uint8_t id[ID_BYTES] = {0};
        store32(id, index + 1);
        uint32_t added = conversation_added(id); /* may move all conversations */
        struct conversation *conversation = &conversations[added];
        conversation->member_count = device_count;
        conversation->members = make(device_count, sizeof *conversation->members);
        for (uint32_t member = 0; member < device_count; member++)
            conversation->members[member] = member;
    }
}

/* send D C | accept D C counter seq current | deliver D C seq origin counter
   | skip D C seq | other D C seq | refuse D counter | session D | late ms */
static void judge_line(const char *name, const uint64_t *n)
{
    uint32_t device = (uint32_t)n[0], conversation = (uint32_t)n[1], flow;
    if (!strcmp(name, "send")) {
        oracle_sent(device, conversation, now_ns());
    } else if (!strcmp(name, "accept")) {
        oracle_accepted(device, (struct entry){conversation, n[3], n[2]}, n[4], &flow);
    } else if (!strcmp(name, "deliver")) {
        struct entry entry = {conversation, n[2], n[4]};
        oracle_delivered(device, entry, (uint32_t)n[3], &flow);
    } else if (!strcmp(name, "skip")) {
        oracle_skip(standing_of(device, conversation), n[2]);
    } else if (!strcmp(name, "other")) {
        oracle_entry(standing_of(device, conversation), n[2]);
    } else if (!strcmp(name, "refuse")) {
        oracle_refused(device, n[1]);
    } else if (!strcmp(name, "session")) {
        oracle_session(device);
    } else if (!strcmp(name, "late")) {
        late_ns = n[0] * MS;
    } else {
        die("an unknown event: %s", name);
    }
}

int judge_input(void)
{
    char line[128], name[32];
    uint64_t n[5];
    if (!fgets(line, sizeof line, stdin) || sscanf(line, "%lu %lu", &n[0], &n[1]) != 2)
        die("the first line has the numbers of devices and of conversations");
    set_up((uint32_t)n[0], (uint32_t)n[1]);
    while (fgets(line, sizeof line, stdin)) {
        memset(n, 0, sizeof n);
        if (sscanf(line, "%31s %lu %lu %lu %lu %lu", name, &n[0], &n[1], &n[2], &n[3], &n[4]) > 0)
            judge_line(name, n);
    }
    report_verdict();
    return 0;
}
