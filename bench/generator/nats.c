#define _GNU_SOURCE /* memmem */
/* NATS with JetStream: everything is published into one stream (made before, bench/peers/nats.py).
   A device reads its direct messages through a durable push consumer of its own, which keeps what
   it has not acknowledged; it acknowledges once for each batch it reads. Groups are ordinary
   subscriptions to subjects of the stream: a consumer for each member would cost far more. */
#include "dialect.h"
#include "oracle.h"
#include "peer.h"
#include "session.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SUBJECT_BYTES 128
#define FIELDS_MAX 5
enum subscription { ANSWERS = 1, DIRECTS, GROUPS };

struct state {
    char owed[SUBJECT_BYTES]; /* where the newest message wants its acknowledgement */
    bool wants_consumer, ponged;
};
static struct state *states;

static void ask_consumer(uint32_t index)
{
    char text[384];
    int length = snprintf(text, sizeof text,
        "{\"stream_name\":\"BENCH\",\"config\":{\"durable_name\":\"u%u\",\"deliver_subject\":"
        "\"in.%u\",\"deliver_policy\":\"all\",\"ack_policy\":\"all\",\"ack_wait\":10000000000,"
        "\"max_ack_pending\":1000000,\"filter_subject\":\"d.%u\"}}", index, index, index);
    peer_say(index, "SUB in.%u %d\r\n", index, DIRECTS);
    peer_say(index, "PUB $JS.API.CONSUMER.DURABLE.CREATE.BENCH.u%u r.%u.consumer %d\r\n%s\r\n",
             index, index, length, text);
}

static void greet(uint32_t index)
{
    const struct device *device = &devices[index];
    if (!states)
        states = make(device_count, sizeof *states);
    struct state *state = &states[index];
    *state = (struct state){0};
    peer_say(index, "CONNECT {\"verbose\":false,\"pedantic\":false,\"lang\":\"c\",\"version\":"
                    "\"1\",\"protocol\":1,\"name\":\"u%u\"}\r\nSUB r.%u.* %d\r\n",
             index, index, ANSWERS);
    for (uint32_t i = 0; i < device->conversation_count; i++) {
        uint32_t conversation = device->conversations[i];
        if (peer_only_writes(index, conversation))
            continue;
        if (peer_is_group(conversation))
            peer_say(index, "SUB g.%u %d\r\n", conversation, GROUPS);
        else
            state->wants_consumer = true;
    }
    if (state->wants_consumer)
        ask_consumer(index);
    peer_say(index, "PING\r\n");
    devices[index].phase = ENTERING;
}

static void enter(uint32_t index)
{
    if (devices[index].phase == ENTERING && states[index].ponged && !states[index].wants_consumer)
        peer_live(index);
}

/* --- messages ------------------------------------------------------------------------------- */

static void prepare(uint32_t number)
{
    const struct flow *flow = &flows[number];
    bool group = peer_is_group(flow->conversations[0]);
    peer_begin(number);
    peer_text(number, "PUB %s.%u r.%u.0000000000000000 %u\r\n", group ? "g" : "d",
              group ? flow->conversations[0] : peer_reader(number), flow->device,
              flow->body_bytes);
    peer_body(number);
    peer_text(number, "\r\n");
}

static void send_message(const struct flow *flow, uint32_t conversation, uint64_t counter)
{
    (void)conversation;
    uint8_t *message = peer_message(flow, counter);
    size_t digits = (size_t)snprintf(NULL, 0, " %u\r\n", flow->body_bytes);
    peer_hex(message + flow->template.body_at - digits - 16, counter);
}

static void answered(uint32_t index, const char *subject, const char *text, size_t length)
{
    const char *last = strrchr(subject, '.') + 1;
    bool wrong = memmem(text, length, "\"error\"", 7) != NULL;
    if (!strcmp(last, "consumer")) {
        if (wrong)
            die("no consumer: %.*s", (int)length, text);
        states[index].wants_consumer = false;
        enter(index);
        return;
    }
    uint64_t counter = strtoull(last, NULL, 16);
    if (!wrong) {
        peer_answered(index, counter);
        return;
    }
    counts.refused++;
    on_refused(index, (uint16_t)(counter % PEER_STREAMS + 1), false, 0);
}

static void before_write(uint32_t index)
{
    struct state *state = &states[index];
    if (!*state->owed)
        return;
    peer_say(index, "PUB %s 0\r\n\r\n", state->owed);
    *state->owed = 0;
}

/* Split a line at its spaces; returns how many fields there are. */
static int split(char *line, char **fields)
{
    int count = 0;
    char *rest = NULL;
    for (char *word = strtok_r(line, " ", &rest); word && count < FIELDS_MAX;
         word = strtok_r(NULL, " ", &rest))
        fields[count++] = word;
    return count;
}

/* MSG subject sid [reply] length. Returns the bytes of it and its body, 0 if some are missing. */
static size_t take_message(uint32_t index, const uint8_t *bytes, size_t head, size_t length)
{
    char line[2 * SUBJECT_BYTES + 32], *fields[FIELDS_MAX];
    if (head >= sizeof line)
        die("a line of the server is too long");
    memcpy(line, bytes, head);
    line[head] = 0;
    int count = split(line, fields);
    if (count < 4)
        die("a message of the server cannot be read");
    size_t body = strtoul(fields[count - 1], NULL, 10);
    const uint8_t *start = bytes + head + 2;
    if (length < head + 2 + body + 2)
        return 0;
    switch (atoi(fields[2])) {
    case ANSWERS: answered(index, fields[1], (const char *)start, body); break;
    case DIRECTS:
        if (count == 5 && strlen(fields[3]) < SUBJECT_BYTES) {
            strcpy(states[index].owed, fields[3]);
            session_dirty(index);
        }
        peer_delivered(index, start, body);
        break;
    default: peer_delivered(index, start, body);
    }
    return head + 2 + body + 2;
}

static bool begins(const uint8_t *line, size_t head, const char *word)
{
    return head >= 4 && !memcmp(line, word, 4);
}

static ssize_t take(uint32_t index, const uint8_t *bytes, size_t length)
{
    size_t at = 0;
    while (at < length) {
        const uint8_t *line = bytes + at;
        const uint8_t *end = memmem(line, length - at, "\r\n", 2);
        if (!end)
            break;
        size_t head = (size_t)(end - line), used = head + 2;
        if (begins(line, head, "MSG ")) {
            used = take_message(index, line, head, length - at);
            if (!used)
                break;
        } else if (begins(line, head, "PING")) {
            peer_say(index, "PONG\r\n");
        } else if (begins(line, head, "PONG")) {
            states[index].ponged = true;
            enter(index);
        } else if (begins(line, head, "-ERR")) {
            fprintf(stderr, "generator: the server says %.*s\n", (int)head, line);
            return -1;
        }
        at += used;
    }
    return (ssize_t)at;
}

const struct dialect nats_dialect = {
    .name = "nats",
    .prepare = prepare,
    .greet = greet,
    .take = take,
    .send = send_message,
    .before_write = before_write,
};
