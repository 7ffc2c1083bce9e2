#include "session.h"

#include "dialect.h"
#include "histogram.h"
#include "oracle.h"

#include <stdlib.h>

#define READ_BYTES (256 * 1024)
#define ACK_DELAY (100 * MS)

struct session_counts session_counts;
struct histogram login_times, current_times;
uint32_t live_count;
enum since since = SINCE_OWN;
uint16_t last_error;
int signer_fd = -1;

/* Devices with something to write. */
static uint32_t *dirty, dirty_count;

/* Devices that owe an acknowledgement. All wait equally long, so the queue is in order; one that
   has acknowledged since is recognised by its other time. */
struct owing {
    uint64_t due_ns;
    uint32_t device;
};
static struct owing *ack_queue;
static uint32_t ack_room;
static uint64_t ack_head, ack_tail, next_heartbeat_ns;

/* --- coming and going ----------------------------------------------------------------------- */

bool session_start(uint32_t index)
{
    struct device *device = &devices[index];
    if (!dirty)
        dirty = make(device_count, sizeof *dirty);
    if (device->phase != OFF)
        die("device %u is connected already", index);
    device->started_ns = now_ns();
    device->channel = channel_open(index);
    if (!device->channel)
        return false;
    device->phase = CONNECTING;
    oracle_session(index);
    session_watch(device->channel);
    return true;
}

static void forget(struct device *device)
{
    if (device->phase == LIVE)
        live_count--;
    session_unwatch(device->channel);
    channel_close(device->channel);
    device->channel = NULL;
    device->phase = OFF;
    for (uint32_t i = 0; i < device->unacked_count; i++)
        device->unacked[i]->unacked = false;
    device->unacked_count = device->unacked_entries = 0;
    device->ack_due_ns = 0;
    device->used_bytes = device->used_entries = 0;
}

void session_drop(uint32_t index)
{
    if (devices[index].phase != OFF)
        forget(&devices[index]);
}

void session_lose(uint32_t index)
{
    struct device *device = &devices[index];
    bool was_live = device->phase == LIVE;
    if (was_live)
        session_counts.disconnects++;
    else
        session_counts.login_failures++;
    forget(device);
    on_lost(index, was_live);
}

void session_dirty(uint32_t index)
{
    struct channel *channel = devices[index].channel;
    if (channel && !channel->dirty) {
        channel->dirty = true;
        dirty[dirty_count++] = index;
    }
}

void session_flush(void)
{
    uint64_t now = now_ns();
    for (uint32_t i = 0; i < dirty_count; i++) {
        struct device *device = &devices[dirty[i]];
        struct channel *channel = device->channel;
        if (!channel || !channel->dirty)
            continue;
        if (dialect->before_write && device->phase != CONNECTING)
            dialect->before_write(dirty[i]); /* it is dirty still, so this adds nobody */
        channel->dirty = false;
        if (device->phase == CONNECTING)
            continue;
        device->spoke_ns = now;
        if (channel_write(channel))
            session_watch(channel);
        else
            session_lose(dirty[i]);
    }
    dirty_count = 0;
}

/* --- acknowledging, credit, heartbeats ------------------------------------------------------ */

void session_acknowledge(uint32_t index)
{
    struct device *device = &devices[index];
    if (dialect->acknowledge)
        dialect->acknowledge(index);
    for (uint32_t i = 0; i < device->unacked_count; i++)
        device->unacked[i]->unacked = false;
    device->floor_told = device->operations.floor;
    device->unacked_count = device->unacked_entries = 0;
    device->ack_due_ns = 0;
    session_dirty(index);
}

static void queue_ack(struct owing owing)
{
    if (ack_head - ack_tail == ack_room) {
        uint32_t room = ack_room ? 2 * ack_room : 1024;
        struct owing *wider = make(room, sizeof *wider);
        for (uint64_t i = ack_tail; i < ack_head; i++)
            wider[i & (room - 1)] = ack_queue[i & (ack_room - 1)];
        free(ack_queue);
        ack_queue = wider;
        ack_room = room;
    }
    ack_queue[ack_head++ & (ack_room - 1)] = owing;
}

void session_owe_ack(struct standing *standing)
{
    struct device *device = &devices[standing->device];
    if (!standing->unacked) {
        standing->unacked = true;
        if (device->unacked_count == device->unacked_room) {
            device->unacked_room = device->unacked_room ? 2 * device->unacked_room : 4;
            device->unacked =
                grow(device->unacked, device->unacked_room * sizeof *device->unacked);
        }
        device->unacked[device->unacked_count++] = standing;
    }
    if (++device->unacked_entries >= 64) {
        session_acknowledge(standing->device);
    } else if (!device->ack_due_ns) {
        device->ack_due_ns = now_ns() + ACK_DELAY;
        queue_ack((struct owing){device->ack_due_ns, standing->device});
    }
}

static void send_heartbeats(uint64_t now)
{
    next_heartbeat_ns = now + SECOND;
    for (uint32_t index = 0; dialect->heartbeat && index < device_count; index++) {
        if (devices[index].phase != LIVE)
            continue;
        dialect->heartbeat(index);
        if (buffer_length(&devices[index].channel->out))
            session_dirty(index);
    }
}

void session_timers(uint64_t now)
{
    for (; ack_tail < ack_head; ack_tail++) {
        struct owing owing = ack_queue[ack_tail & (ack_room - 1)];
        if (devices[owing.device].ack_due_ns != owing.due_ns)
            continue;
        if (owing.due_ns > now)
            break;
        session_acknowledge(owing.device);
    }
    if (now >= next_heartbeat_ns)
        send_heartbeats(now);
}

uint64_t session_next_timer(void)
{
    if (ack_tail == ack_head)
        return next_heartbeat_ns;
    uint64_t due = ack_queue[ack_tail & (ack_room - 1)].due_ns;
    return due < next_heartbeat_ns ? due : next_heartbeat_ns;
}

/* --- reading -------------------------------------------------------------------------------- */

static bool read_all(uint32_t index, struct channel *channel)
{
    static uint8_t room[READ_BYTES];
    ssize_t count;
    do {
        count = channel_read(channel, room, sizeof room);
        if (count < 0)
            return false;
        struct buffer *in = &channel->in;
        bool kept = buffer_length(in) > 0;
        if (kept)
            buffer_add(in, room, (size_t)count);
        const uint8_t *bytes = kept ? in->data + in->start : room;
        size_t length = kept ? buffer_length(in) : (size_t)count;
        ssize_t used = dialect->take(index, bytes, length);
        if (used < 0)
            return false;
        if (kept)
            buffer_take(in, (size_t)used);
        else if ((size_t)used < length)
            buffer_add(in, room + used, length - (size_t)used);
        /* TLS may hold more than one record that epoll does not know of. */
    } while (channel->tls && count > 0);
    return true;
}

void session_ready(uint32_t index)
{
    struct device *device = &devices[index];
    struct channel *channel = device->channel;
    if (device->phase == CONNECTING) {
        int done = channel_advance(channel);
        if (done < 0)
            session_lose(index);
        else if (done)
            dialect->greet(index);
        else
            session_watch(channel);
        return;
    }
    if (channel->wants_write)
        session_dirty(index);
    /* Of a connection that is not read, epoll tells when it can be written and when it is gone. */
    bool lost = channel->stalled ? !channel->wants_write : !read_all(index, channel);
    if (lost)
        session_lose(index);
}

void session_stall(uint32_t index, bool stalled)
{
    struct channel *channel = devices[index].channel;
    if (channel && channel->stalled != stalled) {
        channel->stalled = stalled;
        session_watch(channel);
    }
}
