#include "traffic.h"

#include "chores.h"
#include "dialect.h"
#include "oracle.h"
#include "session.h"

#include <math.h>
#include <string.h>

#define OPS_IN_FLIGHT_MAX 1024 /* above the floor that the server was told */
#define BACKLOG_RETRY MS

struct schedule {
    uint32_t first, count, turn;
    double gap_ns, due_ns; /* 0: nothing is scheduled */
    bool stuck;            /* what is due cannot leave: too much is unanswered */
};

static struct schedule schedules[CHORES];
static uint64_t bursts_left;
static uint64_t next_retry_ns;

/* --- sending -------------------------------------------------------------------------------- */

/* Whether one more operation of the device is allowed; tells the server the floor in time. */
static bool has_room(uint32_t index)
{
    struct device *device = &devices[index];
    if (device->phase != LIVE || device->refused_waiting)
        return false;
    uint64_t above = device->operations.head - device->floor_told;
    if (above >= OPS_IN_FLIGHT_MAX / 2 && device->operations.floor > device->floor_told) {
        session_acknowledge(index);
        above = device->operations.head - device->floor_told;
    }
    return above < OPS_IN_FLIGHT_MAX;
}

static bool send_one(uint32_t number, uint64_t due_ns)
{
    struct flow *flow = &flows[number];
    if (!has_room(flow->device))
        return false;
    uint32_t conversation = flow->conversations[flow->turn];
    flow->turn = (flow->turn + 1) % flow->conversation_count;
    flow->in_flight++;
    dialect->send(flow, conversation, oracle_sent(number, conversation, due_ns));
    return true;
}

static void fill(uint32_t number)
{
    struct flow *flow = &flows[number];
    if (flow->pace != CLOSED && flow->pace != BURST)
        return;
    uint64_t now = now_ns();
    while (flow->in_flight < flow->window && (flow->pace == CLOSED || flow->quota)) {
        if (!send_one(number, now))
            return;
        if (flow->pace == BURST)
            flow->quota--;
    }
}

static void leave(uint32_t number)
{
    struct flow *flow = &flows[number];
    flow->in_flight--;
    fill(number);
}

void on_over(uint32_t number)
{
    if (flows[number].pace != BURST)
        leave(number);
}

void on_answered(uint32_t number)
{
    if (flows[number].pace == BURST) {
        bursts_left--;
        leave(number);
    }
}

/* --- refusals, reconnects ------------------------------------------------------------------- */

void on_refused(uint32_t index, uint16_t stream, bool temporary, uint32_t retry_ms)
{
    struct device *device = &devices[index];
    struct operations *operations = &device->operations;
    if (!stream || stream > SEND_STREAMS)
        return;
    /* The one open operation with this stream: far fewer are open than there are streams. */
    uint64_t counter = operations->floor
        + (stream - 1 + SEND_STREAMS - operations->floor % SEND_STREAMS) % SEND_STREAMS;
    struct record *record = record_of(index, counter);
    if (!record || record->answered || record->refused)
        return;
    if (!temporary) {
        uint32_t flow = record->flow;
        oracle_refused(index, counter);
        on_answered(flow);
        on_over(flow);
        return;
    }
    record->refused = true;
    device->refused_waiting++;
    uint64_t due = now_ns() + (retry_ms ? retry_ms : 1) * MS;
    if (due > device->retry_ns)
        device->retry_ns = due;
    if (!next_retry_ns || due < next_retry_ns)
        next_retry_ns = due;
}

/* Send again, in their order, the operations that have no answer. */
static void send_again(uint32_t index, bool all)
{
    struct operations *operations = &devices[index].operations;
    for (uint64_t counter = operations->floor; counter < operations->head; counter++) {
        struct record *record = record_of(index, counter);
        if (record->answered || !(all || record->refused))
            continue;
        record->refused = false;
        dialect->send(&flows[record->flow], record->conversation, counter);
    }
    devices[index].refused_waiting = 0;
    devices[index].retry_ns = 0;
}

static void fill_device(uint32_t index)
{
    for (uint32_t number = 0; number < flow_count; number++)
        if (flows[number].device == index)
            fill(number);
}

static void retry(uint64_t now)
{
    if (!next_retry_ns || now < next_retry_ns)
        return;
    next_retry_ns = 0;
    for (uint32_t index = 0; index < device_count; index++) {
        struct device *device = &devices[index];
        if (!device->retry_ns || device->phase != LIVE)
            continue;
        if (now >= device->retry_ns) {
            send_again(index, false);
            fill_device(index);
        } else if (!next_retry_ns || device->retry_ns < next_retry_ns) {
            next_retry_ns = device->retry_ns;
        }
    }
}

void traffic_resume(uint32_t index)
{
    struct operations *operations = &devices[index].operations;
    if (operations->floor != operations->head)
        send_again(index, true);
    fill_device(index);
}

/* --- paces ---------------------------------------------------------------------------------- */

void traffic_close(uint32_t first, uint32_t count)
{
    for (uint32_t number = first; number < first + count; number++) {
        flows[number].pace = CLOSED;
        fill(number);
    }
}

void traffic_burst(uint32_t first, uint32_t count, uint64_t messages)
{
    bursts_left += messages * count;
    for (uint32_t number = first; number < first + count; number++) {
        flows[number].pace = BURST;
        flows[number].quota = messages;
        fill(number);
    }
}

void traffic_flood(uint32_t first, uint32_t count)
{
    traffic_burst(first, count, UINT32_MAX);
}

bool traffic_burst_done(void)
{
    return !bursts_left;
}

void traffic_rate(enum chore chore, uint32_t first, uint32_t count, double per_s)
{
    struct schedule *schedule = &schedules[chore];
    *schedule = (struct schedule){.first = first, .count = count};
    if (per_s <= 0 || !count)
        return;
    schedule->gap_ns = (double)SECOND / per_s;
    schedule->due_ns = (double)now_ns() + schedule->gap_ns;
    for (uint32_t number = first; chore == MESSAGE && number < first + count; number++)
        flows[number].pace = OPEN;
}

void traffic_stop(void)
{
    memset(schedules, 0, sizeof schedules);
    for (uint32_t number = 0; number < flow_count; number++)
        flows[number].pace = IDLE;
}

/* Arrivals are independent of each other, so their gaps are exponential (a Poisson process). */
static double next_gap(const struct schedule *schedule)
{
    double share = ((double)(random64() >> 11) + 0.5) / (double)(1ull << 53);
    return -log(share) * schedule->gap_ns;
}

static bool do_chore(enum chore chore, uint32_t number, uint64_t due_ns)
{
    switch (chore) {
    case MESSAGE: return send_one(number, due_ns);
    case REGISTER_WRITE: write_register(number); return true;
    case TYPING: write_typing(number); return true;
    default: reconnect(number); return true;
    }
}

/* One after the other in turn; a message that one device cannot send now, another one sends. */
static bool serve(enum chore chore, struct schedule *schedule)
{
    for (uint32_t tries = 0; tries < schedule->count; tries++) {
        uint32_t number = schedule->first + schedule->turn;
        schedule->turn = (schedule->turn + 1) % schedule->count;
        if (do_chore(chore, number, (uint64_t)schedule->due_ns))
            return true;
    }
    return false;
}

void traffic_timers(uint64_t now)
{
    retry(now);
    for (enum chore chore = 0; chore < CHORES; chore++) {
        struct schedule *schedule = &schedules[chore];
        schedule->stuck = false;
        while (schedule->gap_ns > 0 && schedule->due_ns <= (double)now) {
            if (!serve(chore, schedule)) {
                schedule->stuck = true;
                break;
            }
            schedule->due_ns += next_gap(schedule);
        }
    }
}

uint64_t traffic_next_timer(void)
{
    uint64_t next = next_retry_ns ? next_retry_ns : UINT64_MAX;
    for (enum chore chore = 0; chore < CHORES; chore++) {
        struct schedule *schedule = &schedules[chore];
        if (schedule->gap_ns <= 0)
            continue;
        uint64_t due = schedule->stuck ? now_ns() + BACKLOG_RETRY : (uint64_t)schedule->due_ns;
        if (due < next)
            next = due;
    }
    return next;
}

uint64_t traffic_backlog(void)
{
    struct schedule *schedule = &schedules[MESSAGE];
    double overdue = (double)now_ns() - schedule->due_ns;
    return schedule->gap_ns > 0 && overdue > 0 ? (uint64_t)(overdue / schedule->gap_ns) : 0;
}
