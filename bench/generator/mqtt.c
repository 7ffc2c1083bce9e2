/* MQTT 3.1.1 and 5 with quality of service 1 and sessions that outlive a connection. A device
   listens to its own topic and to those of its groups. */
#include "dialect.h"
#include "oracle.h"
#include "peer.h"
#include "session.h"

#include <stdio.h>
#include <string.h>

#define KEEP_ALIVE_S 3600
#define SUBSCRIBE_ID 65535 /* messages use the ones up to PEER_STREAMS */
#define TOPIC_BYTES 24

enum packet {
    CONNECT = 0x10, CONNACK = 0x20, PUBLISH = 0x30, PUBACK = 0x40, SUBSCRIBE = 0x82,
    SUBACK = 0x90, PINGRESP = 0xd0, DISCONNECT = 0xe0,
};

static bool is_5(void)
{
    return dialect == &mqtt5_dialect;
}

static void add16(struct buffer *to, uint32_t value)
{
    uint8_t bytes[] = {(uint8_t)(value >> 8), (uint8_t)value};
    buffer_add(to, bytes, sizeof bytes);
}

static void add_text(struct buffer *to, const char *text)
{
    add16(to, (uint32_t)strlen(text));
    buffer_add(to, text, strlen(text));
}

/* The length of what follows, seven bits a byte, the lowest first. */
static void add_length(struct buffer *to, size_t length)
{
    do {
        uint8_t byte = (uint8_t)(length % 128 | (length > 127 ? 128 : 0));
        buffer_add(to, &byte, 1);
        length /= 128;
    } while (length);
}

static void write_packet(uint32_t index, uint8_t type, struct buffer *body)
{
    struct buffer *out = &devices[index].channel->out;
    buffer_add(out, &type, 1);
    add_length(out, buffer_length(body));
    buffer_add(out, body->data + body->start, buffer_length(body));
    buffer_free(body);
    session_dirty(index);
}

static void greet(uint32_t index)
{
    static const uint8_t properties[] = {8, 0x11, 255, 255, 255, 255, 0x21, 255, 255};
    struct buffer body = {0};
    char name[TOPIC_BYTES];
    uint8_t version_and_flags[] = {is_5() ? 5 : 4, 0};
    add_text(&body, "MQTT");
    buffer_add(&body, version_and_flags, sizeof version_and_flags);
    add16(&body, KEEP_ALIVE_S);
    if (is_5()) /* the session stays for ever, 65,535 messages may be on their way */
        buffer_add(&body, properties, sizeof properties);
    snprintf(name, sizeof name, "u%u", index);
    add_text(&body, name);
    write_packet(index, CONNECT, &body);
    devices[index].phase = GREETING;
}

static void add_topic(struct buffer *body, const char *kind, uint32_t number)
{
    static const uint8_t at_least_once = 1;
    char topic[TOPIC_BYTES];
    snprintf(topic, sizeof topic, "%s/%u", kind, number);
    add_text(body, topic);
    buffer_add(body, &at_least_once, 1);
}

/* Returns false when the device only writes. */
static bool subscribe(uint32_t index)
{
    static const uint8_t no_properties = 0;
    const struct device *device = &devices[index];
    struct buffer body = {0};
    bool directs = false;
    add16(&body, SUBSCRIBE_ID);
    if (is_5())
        buffer_add(&body, &no_properties, 1);
    size_t empty = buffer_length(&body);
    for (uint32_t i = 0; i < device->conversation_count; i++) {
        uint32_t conversation = device->conversations[i];
        if (peer_only_writes(index, conversation))
            continue;
        if (peer_is_group(conversation))
            add_topic(&body, "g", conversation);
        else
            directs = true;
    }
    if (directs)
        add_topic(&body, "d", index);
    if (buffer_length(&body) == empty) {
        buffer_free(&body);
        return false;
    }
    write_packet(index, SUBSCRIBE, &body);
    devices[index].phase = ENTERING;
    return true;
}

/* --- messages ------------------------------------------------------------------------------- */

static void prepare(uint32_t number)
{
    const struct flow *flow = &flows[number];
    uint32_t conversation = flow->conversations[0];
    bool group = peer_is_group(conversation);
    char topic[TOPIC_BYTES];
    snprintf(topic, sizeof topic, "%s/%u", group ? "g" : "d",
             group ? conversation : peer_reader(number));
    struct buffer head = {0}, body = {0};
    uint8_t type = PUBLISH | 1 << 1;
    add_text(&body, topic);
    buffer_add(&head, &type, 1);
    add_length(&head, buffer_length(&body) + 2 + is_5() + flow->body_bytes);
    buffer_add(&head, body.data, body.end);
    peer_begin(number);
    peer_bytes(number, head.data, head.end);
    peer_bytes(number, "\0\0\0", is_5() ? 3 : 2); /* packet identifier, no properties */
    peer_body(number);
    buffer_free(&head);
    buffer_free(&body);
}

static void send_message(const struct flow *flow, uint32_t conversation, uint64_t counter)
{
    (void)conversation;
    uint8_t *identifier =
        peer_message(flow, counter) + flow->template.body_at - (is_5() ? 3 : 2);
    uint32_t stream = (uint32_t)(counter % PEER_STREAMS + 1);
    identifier[0] = (uint8_t)(stream >> 8);
    identifier[1] = (uint8_t)stream;
}

static void published(uint32_t index, uint8_t flags, const uint8_t *body, size_t length)
{
    size_t at = length < 2 ? length : 2u + (body[0] << 8 | body[1]);
    if (at + 2 > length || (flags >> 1 & 3) != 1)
        die("a message from the server cannot be read");
    uint8_t answer[] = {PUBACK, 2, body[at], body[at + 1]};
    at += 2;
    if (is_5())
        at += 1u + body[at];
    if (at > length)
        die("properties of a message are too long");
    buffer_add(&devices[index].channel->out, answer, sizeof answer);
    session_dirty(index);
    peer_delivered(index, body + at, length - at);
}

/* Returns false when the connection ends with this packet. */
static bool take_packet(uint32_t index, uint8_t type, const uint8_t *body, size_t length)
{
    switch (type & 0xf0) {
    case PUBLISH: published(index, type & 15, body, length); return true;
    case PUBACK:
        if (length > 2 && body[2] >= 0x80) {
            counts.refused++;
            on_refused(index, (uint16_t)(body[0] << 8 | body[1]), false, 0);
        } else if (length >= 2) {
            peer_answered(index, peer_counter(index, (uint32_t)(body[0] << 8 | body[1])));
        }
        return true;
    case CONNACK:
        if (length < 2 || body[1])
            return false;
        if (!subscribe(index))
            peer_live(index);
        return true;
    case SUBACK:
        if (body[length - 1] >= 0x80)
            die("the server refuses a subscription");
        if (devices[index].phase != LIVE)
            peer_live(index);
        return true;
    case PINGRESP: return true;
    case DISCONNECT: return false;
    default: die("an unknown packet, type %#x", type);
    }
}

static ssize_t take(uint32_t index, const uint8_t *bytes, size_t length)
{
    size_t at = 0;
    while (length - at >= 2) {
        size_t body = 0, used = at + 1;
        int shift = 0;
        do {
            body |= (size_t)(bytes[used] & 127) << shift;
            shift += 7;
        } while (bytes[used++] & 128 && used < length);
        if (bytes[used - 1] & 128 || length - used < body)
            break;
        if (!take_packet(index, bytes[at], bytes + used, body))
            return -1;
        at = used + body;
    }
    return (ssize_t)at;
}

const struct dialect mqtt_dialect = {
    .name = "mqtt", .prepare = prepare, .greet = greet, .take = take, .send = send_message,
};
const struct dialect mqtt5_dialect = {
    .name = "mqtt5", .prepare = prepare, .greet = greet, .take = take, .send = send_message,
};
