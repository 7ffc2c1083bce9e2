/* The protocol of bench/peers/relay.c, the least that a server can do: frames of a length (4), a
   type (1) and a body. Numbers are in network order. */
#include "dialect.h"
#include "peer.h"
#include "session.h"

#include <string.h>

enum kind { LOGIN = 1, JOIN, MESSAGE_TO, ACCEPTED_THROUGH, MESSAGE_FROM };
#define TO_GROUP 0x80000000u
#define HEAD_BYTES 5

static void write_number(uint32_t index, enum kind kind, uint32_t number)
{
    uint8_t frame[HEAD_BYTES + 4];
    store32(frame, sizeof frame - 4);
    frame[4] = (uint8_t)kind;
    store32(frame + HEAD_BYTES, number);
    buffer_add(&devices[index].channel->out, frame, sizeof frame);
    session_dirty(index);
}

static void greet(uint32_t index)
{
    const struct device *device = &devices[index];
    for (uint32_t i = 0; i < device->conversation_count; i++)
        if (peer_is_group(device->conversations[i])
            && !peer_only_writes(index, device->conversations[i]))
            write_number(index, JOIN, device->conversations[i]);
    write_number(index, LOGIN, index);
    devices[index].phase = ENTERING;
}

static void prepare(uint32_t number)
{
    const struct flow *flow = &flows[number];
    bool group = peer_is_group(flow->conversations[0]);
    uint8_t head[HEAD_BYTES + 12] = {0};
    store32(head, (uint32_t)sizeof head - 4 + flow->body_bytes);
    head[4] = MESSAGE_TO;
    store32(head + HEAD_BYTES, group ? flow->conversations[0] | TO_GROUP : peer_reader(number));
    peer_begin(number);
    peer_bytes(number, head, sizeof head);
    peer_body(number);
}

static void send_message(const struct flow *flow, uint32_t conversation, uint64_t counter)
{
    (void)conversation;
    store64(peer_message(flow, counter) + HEAD_BYTES + 4, counter);
}

static ssize_t take(uint32_t index, const uint8_t *bytes, size_t length)
{
    size_t at = 0;
    while (length - at >= HEAD_BYTES) {
        uint32_t body = load32(bytes + at) - 1;
        const uint8_t *start = bytes + at + HEAD_BYTES;
        if (length - at < HEAD_BYTES + (size_t)body)
            break;
        switch (bytes[at + 4]) {
        case LOGIN: peer_live(index); break;
        case ACCEPTED_THROUGH: peer_answered_through(index, load64(start)); break;
        case MESSAGE_FROM: peer_delivered(index, start, body); break;
        default: die("an unknown frame of the relay, type %d", bytes[at + 4]);
        }
        at += HEAD_BYTES + (size_t)body;
    }
    return (ssize_t)at;
}

const struct dialect floor_dialect = {
    .name = "floor", .prepare = prepare, .greet = greet, .take = take, .send = send_message,
};
