#include "chores.h"

#include "session.h"
#include "traffic.h"

#define CHORE_STREAM 65002
#define RETRY_DELAY (50 * MS)

uint32_t retries_max = 20;

/* Devices that wait for their turn to log in: a range, then those that failed. */
static uint32_t next_device, last_device, at_once_max, under_way;
static uint32_t *again, again_count, again_room;
static uint64_t retries, again_at_ns;

void write_register(uint32_t index)
{
    struct device *device = &devices[index];
    if (device->phase != LIVE || !device->conversation_count)
        return;
    struct buffer *out = &device->channel->out;
    uint32_t conversation = device->conversations[random64() % device->conversation_count];
    size_t start = start_frame(out);
    write_array(out, 4);
    write_bytes(out, conversations[conversation].id, ID_BYTES);
    write_text(out, "read");
    write_uint(out, now_ns()); /* the version: later writes win */
    write_bytes(out, device->id, DEVICE_BYTES);
    end_frame(out, start, SET_REGISTER, CHORE_STREAM);
    session_dirty(index);
}

void write_typing(uint32_t number)
{
    struct flow *flow = &flows[number];
    if (devices[flow->device].phase != LIVE)
        return;
    struct buffer *out = &devices[flow->device].channel->out;
    size_t start = start_frame(out);
    write_array(out, 4);
    write_bytes(out, conversations[flow->conversations[flow->turn]].id, ID_BYTES);
    write_uint(out, 1); /* typing */
    write_bytes(out, "", 0);
    write_nil(out); /* the server fills in the sender */
    end_frame(out, start, EPHEMERAL, 0);
    session_dirty(flow->device);
}

/* --- logging in ----------------------------------------------------------------------------- */

static void queue_again(uint32_t index)
{
    if (again_count == again_room) {
        again_room = again_room ? 2 * again_room : 64;
        again = grow(again, again_room * sizeof *again);
    }
    again[again_count++] = index;
    again_at_ns = now_ns() + RETRY_DELAY;
}

void reconnect(uint32_t index)
{
    if (devices[index].phase != LIVE)
        return;
    session_drop(index);
    under_way++;
    if (!session_start(index)) {
        under_way--;
        queue_again(index);
    }
}

void logins_start(uint32_t first, uint32_t count, uint32_t at_once)
{
    next_device = first;
    last_device = first + count;
    at_once_max = at_once;
    logins_continue();
}

bool logins_done(void)
{
    return next_device == last_device && !under_way && !again_count;
}

void logins_continue(void)
{
    uint32_t room = at_once_max ? at_once_max : 64;
    bool may_retry = again_count && now_ns() >= again_at_ns;
    while (under_way < room && (next_device < last_device || (may_retry && again_count))) {
        uint32_t index = next_device < last_device ? next_device++ : again[--again_count];
        if (devices[index].phase != OFF)
            continue;
        if (!session_start(index)) {
            queue_again(index);
            return;
        }
        under_way++;
    }
}

void logins_drop(uint32_t first, uint32_t count)
{
    for (uint32_t index = first; index < first + count; index++) {
        if (devices[index].phase != LIVE && devices[index].phase != OFF)
            under_way--;
        session_drop(index);
    }
}

void on_live(uint32_t index)
{
    under_way--;
    traffic_resume(index);
}

void on_lost(uint32_t index, bool was_live)
{
    under_way -= !was_live;
    if (++retries > retries_max * (uint64_t)(device_count + 50))
        die("logging in fails for ever; the last error was %u", last_error);
    queue_again(index);
}
