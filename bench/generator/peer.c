#include "peer.h"

#include "oracle.h"
#include "session.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#define COUNTER_AT 32 /* in a body */
#define LINE_MAX_BYTES 1024

bool peer_is_group(uint32_t conversation)
{
    return conversations[conversation].member_count > 2;
}

uint32_t peer_reader(uint32_t number)
{
    const struct flow *flow = &flows[number];
    const struct conversation *conversation = &conversations[flow->conversations[0]];
    return conversation->members[conversation->members[0] == flow->device];
}

bool peer_only_writes(uint32_t device, uint32_t conversation)
{
    for (uint32_t number = 0; number < flow_count; number++)
        if (flows[number].conversations[0] == conversation)
            return flows[number].device == device;
    return false;
}

/* --- messages ------------------------------------------------------------------------------- */

static void add(struct template *template, const void *bytes, size_t length)
{
    template->frame = grow(template->frame, template->length + length);
    memcpy(template->frame + template->length, bytes, length);
    template->length += length;
}

void peer_begin(uint32_t number)
{
    struct flow *flow = &flows[number];
    flow->template = (struct template){0};
    if (flow->conversation_count != 1 || flow->body_bytes < PEER_BODY_MIN)
        die("a flow to a peer has one conversation and bodies of %d bytes at least", PEER_BODY_MIN);
}

void peer_text(uint32_t number, const char *format, ...)
{
    char line[LINE_MAX_BYTES];
    va_list arguments;
    va_start(arguments, format);
    int length = vsnprintf(line, sizeof line, format, arguments);
    va_end(arguments);
    add(&flows[number].template, line, (size_t)length);
}

void peer_bytes(uint32_t number, const void *bytes, size_t length)
{
    add(&flows[number].template, bytes, length);
}

void peer_body(uint32_t number)
{
    struct flow *flow = &flows[number];
    struct template *template = &flow->template;
    template->body_at = template->length;
    template->counter_at = template->body_at + COUNTER_AT;
    peer_text(number, "%016llx%08x%08x%016x", (unsigned long long)run_nonce, flow->device, number,
              0);
    for (size_t length = PEER_BODY_MIN; length < flow->body_bytes; length++) {
        char letter = (char)('a' + (length * 7 + number) % 26);
        add(template, &letter, 1);
    }
}

void peer_hex(uint8_t *at, uint64_t value)
{
    for (int digit = 15; digit >= 0; digit--, value >>= 4)
        at[digit] = (uint8_t)"0123456789abcdef"[value & 15];
}

bool peer_unhex(const uint8_t *at, unsigned digits, uint64_t *value)
{
    *value = 0;
    for (unsigned i = 0; i < digits; i++) {
        unsigned digit = at[i] <= '9' ? at[i] - (unsigned)'0' : at[i] - (unsigned)'a' + 10;
        if (digit > 15)
            return false;
        *value = *value << 4 | digit;
    }
    return true;
}

uint8_t *peer_message(const struct flow *flow, uint64_t counter)
{
    const struct template *template = &flow->template;
    struct buffer *out = &devices[flow->device].channel->out;
    uint8_t *message = buffer_room(out, template->length);
    memcpy(message, template->frame, template->length);
    peer_hex(message + template->counter_at, counter);
    out->end += template->length;
    session_dirty(flow->device);
    return message;
}

void peer_say(uint32_t device, const char *format, ...)
{
    struct buffer *out = &devices[device].channel->out;
    uint8_t *room = buffer_room(out, LINE_MAX_BYTES);
    va_list arguments;
    va_start(arguments, format);
    int length = vsnprintf((char *)room, LINE_MAX_BYTES, format, arguments);
    va_end(arguments);
    if (length >= LINE_MAX_BYTES)
        die("a line to the server is too long");
    out->end += (size_t)length;
    session_dirty(device);
}

/* --- the oracle ----------------------------------------------------------------------------- */

void peer_live(uint32_t index)
{
    struct device *device = &devices[index];
    struct operations *operations = &device->operations;
    if (!operations->head)
        operations->tail = operations->floor = operations->head = 1;
    device->floor_told = operations->floor;
    device->phase = LIVE;
    live_count++;
    session_counts.logins++;
    histogram_add(&login_times, now_ns() - device->started_ns);
    histogram_add(&current_times, now_ns() - device->started_ns);
    on_live(index);
}

void peer_answered(uint32_t index, uint64_t counter)
{
    struct record *record = record_of(index, counter);
    uint32_t flow;
    if (!record) {
        counts.duplicated++;
        return;
    }
    struct entry entry = {record->conversation, counter, counter};
    enum outcome outcome = oracle_accepted(index, entry, true, &flow);
    if (outcome == NOT_OURS)
        return;
    on_answered(flow);
    if (outcome == OVER)
        on_over(flow);
}

void peer_answered_through(uint32_t index, uint64_t counter)
{
    struct operations *operations = &devices[index].operations;
    uint64_t before = 0;
    while (operations->floor <= counter && operations->floor != before) {
        before = operations->floor;
        peer_answered(index, before);
    }
}

uint64_t peer_counter(uint32_t index, uint32_t stream)
{
    uint64_t floor = devices[index].operations.floor;
    return floor + (stream + PEER_STREAMS - 1 - floor % PEER_STREAMS) % PEER_STREAMS;
}

/* Returns the message's flow if it is one of this run, unchanged. */
static const struct flow *own_flow(const uint8_t *body, size_t length, uint64_t *counter)
{
    uint64_t nonce, origin, number;
    if (length < PEER_BODY_MIN || !peer_unhex(body, 16, &nonce) || nonce != run_nonce)
        return NULL; /* of an earlier run */
    if (peer_unhex(body + 16, 8, &origin) && peer_unhex(body + 24, 8, &number)
        && peer_unhex(body + COUNTER_AT, 16, counter) && number < flow_count) {
        const struct flow *flow = &flows[number];
        const uint8_t *expected = flow->template.frame + flow->template.body_at;
        if (flow->device == origin && flow->body_bytes == length
            && !memcmp(body, expected, COUNTER_AT)
            && !memcmp(body + PEER_BODY_MIN, expected + PEER_BODY_MIN, length - PEER_BODY_MIN))
            return flow;
    }
    counts.corrupted++;
    return NULL;
}

void peer_delivered(uint32_t index, const uint8_t *body, size_t length)
{
    uint64_t counter;
    uint32_t over;
    const struct flow *flow = own_flow(body, length, &counter);
    if (!flow || flow->device == index) /* rooms give the writer its own message back */
        return;
    struct entry entry = {flow->conversations[0], counter, counter};
    if (oracle_delivered(index, entry, flow->device, &over) == OVER)
        on_over(over);
}
