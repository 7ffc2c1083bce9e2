#define _GNU_SOURCE /* memmem */
/* XMPP: SASL PLAIN, one resource, stream management (XEP-0198) on, groups are rooms (XEP-0045).
   A sender asks for an acknowledgement once for each batch it writes. */
#include "dialect.h"
#include "oracle.h"
#include "peer.h"
#include "session.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define DOMAIN "localhost" /* accounts are u0, u1, …, each with its name as password */
#define STREAM "<stream:stream xmlns='jabber:client' version='1.0' to='" DOMAIN "' " \
               "xmlns:stream='http://etherx.jabber.org/streams'>"
#define MANAGEMENT "xmlns='urn:xmpp:sm:3'"

struct state {
    uint32_t received, before;    /* stanzas that count: taken; sent before the first message */
    uint32_t rooms;               /* not entered yet */
    uint64_t first;               /* the first operation of this connection */
    bool counting, enabled, asks; /* asks: messages were written since it last asked */
};
static struct state *states;

struct stanza {
    const uint8_t *at, *end;
};

static bool begins(struct stanza stanza, const char *text)
{
    size_t length = strlen(text);
    return (size_t)(stanza.end - stanza.at) >= length && !memcmp(stanza.at, text, length);
}

static const uint8_t *find(struct stanza stanza, const char *text)
{
    const uint8_t *found =
        memmem(stanza.at, (size_t)(stanza.end - stanza.at), text, strlen(text));
    return found ? found + strlen(text) : NULL;
}

/* --- logging in ----------------------------------------------------------------------------- */

static void greet(uint32_t index)
{
    if (!states)
        states = make(device_count, sizeof *states);
    states[index] = (struct state){0};
    peer_say(index, STREAM);
    devices[index].phase = GREETING;
}

static size_t base64(char *to, const char *bytes, size_t length)
{
    static const char digits[] =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    size_t written = 0;
    for (size_t at = 0; at < length; at += 3) {
        uint32_t bits = 0;
        for (size_t i = 0; i < 3; i++)
            bits = bits << 8 | (at + i < length ? (uint8_t)bytes[at + i] : 0u);
        for (size_t i = 0; i < 4; i++)
            to[written++] = at + i > length ? '=' : digits[bits >> (18 - 6 * i) & 63];
    }
    to[written] = 0;
    return written;
}

static void authenticate(uint32_t index)
{
    char secret[64], encoded[96];
    int length = snprintf(secret, sizeof secret, "%cu%u%cu%u", 0, index, 0, index);
    base64(encoded, secret, (size_t)length);
    peer_say(index, "<auth xmlns='urn:ietf:params:xml:ns:xmpp-sasl' mechanism='PLAIN'>%s</auth>",
             encoded);
}

static void bind_resource(uint32_t index)
{
    peer_say(index, "<iq type='set' id='bind'><bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'>"
                    "<resource>r</resource></bind></iq>");
}

/* The resource is bound: from here on everything counts. */
static void enter(uint32_t index)
{
    const struct device *device = &devices[index];
    struct state *state = &states[index];
    peer_say(index, "<enable " MANAGEMENT "/><presence/>");
    state->before = 1;
    for (uint32_t i = 0; i < device->conversation_count; i++) {
        uint32_t conversation = device->conversations[i];
        if (!peer_is_group(conversation))
            continue;
        peer_say(index, "<presence to='g%u@conference." DOMAIN "/u%u'>"
                        "<x xmlns='http://jabber.org/protocol/muc'><history maxstanzas='0'/></x>"
                        "</presence>", conversation, index);
        state->before++;
        state->rooms++;
    }
}

static void maybe_live(uint32_t index)
{
    struct state *state = &states[index];
    const struct operations *operations = &devices[index].operations;
    if (devices[index].phase != ENTERING || !state->enabled || state->rooms)
        return;
    state->first = operations->head ? operations->floor : 1;
    peer_live(index);
}

static void take_features(uint32_t index, struct stanza stanza)
{
    struct device *device = &devices[index];
    if (find(stanza, "PLAIN") && device->phase == GREETING)
        authenticate(index);
    else if (device->phase == ENTERING)
        bind_resource(index);
    else
        die("the server offers no PLAIN: %.*s", (int)(stanza.end - stanza.at), stanza.at);
}

static void take_presence(uint32_t index, struct stanza stanza)
{
    struct state *state = &states[index];
    if (find(stanza, "type='error'") || find(stanza, "type=\"error\""))
        die("a room cannot be entered: %.*s", (int)(stanza.end - stanza.at), stanza.at);
    if (state->rooms && (find(stanza, "code='110'") || find(stanza, "code=\"110\"")))
        state->rooms--;
}

/* --- messages ------------------------------------------------------------------------------- */

static void prepare(uint32_t number)
{
    uint32_t conversation = flows[number].conversations[0];
    peer_begin(number);
    if (peer_is_group(conversation))
        peer_text(number, "<message to='g%u@conference." DOMAIN "' type='groupchat' ",
                  conversation);
    else
        peer_text(number, "<message to='u%u@" DOMAIN "' type='chat' ", peer_reader(number));
    peer_text(number, "id='m%u'><body>", number);
    peer_body(number);
    peer_text(number, "</body></message>");
}

static void send_message(const struct flow *flow, uint32_t conversation, uint64_t counter)
{
    (void)conversation;
    peer_message(flow, counter);
    states[flow->device].asks = true;
}

static void before_write(uint32_t index)
{
    if (!states[index].asks)
        return;
    states[index].asks = false;
    peer_say(index, "<r " MANAGEMENT "/>");
}

static void take_message(uint32_t index, struct stanza stanza)
{
    const uint8_t *body = find(stanza, "<body>"), *end = find(stanza, "</body>");
    if (find(stanza, "type='error'") || find(stanza, "type=\"error\""))
        counts.refused++; /* it came back after its receipt: nobody has it */
    else if (body && end)
        peer_delivered(index, body, (size_t)(end - body) - strlen("</body>"));
}

static void take_receipt(uint32_t index, struct stanza stanza)
{
    struct state *state = &states[index];
    const uint8_t *number = find(stanza, " h=");
    if (!number || devices[index].phase != LIVE)
        return;
    uint32_t handled = (uint32_t)strtoul((const char *)number + 1, NULL, 10);
    if (handled > state->before)
        peer_answered_through(index, state->first + handled - state->before - 1);
}

/* Returns false when the connection ends with it. */
static bool take_stanza(uint32_t index, struct stanza stanza)
{
    struct state *state = &states[index];
    if (begins(stanza, "<message")) {
        state->received += state->counting;
        take_message(index, stanza);
    } else if (begins(stanza, "<presence")) {
        state->received += state->counting;
        take_presence(index, stanza);
    } else if (begins(stanza, "<iq")) {
        state->received += state->counting;
        if (find(stanza, "bind") && !state->before)
            enter(index);
    } else if (begins(stanza, "<a ")) {
        take_receipt(index, stanza);
    } else if (begins(stanza, "<r ") || begins(stanza, "<r/")) {
        peer_say(index, "<a " MANAGEMENT " h='%u'/>", state->received);
    } else if (begins(stanza, "<stream:features")) {
        take_features(index, stanza);
    } else if (begins(stanza, "<success")) {
        devices[index].phase = ENTERING;
        peer_say(index, STREAM);
    } else if (begins(stanza, "<enabled")) {
        state->counting = state->enabled = true;
    } else {
        fprintf(stderr, "generator: %.*s\n", (int)(stanza.end - stanza.at), stanza.at);
        return false;
    }
    maybe_live(index);
    return true;
}

/* Returns where the element that begins at `at` ends, NULL if it is not all there. A stream's own
   start is an element without an end; declarations and white space are nothing. */
static const uint8_t *element_end(const uint8_t *at, const uint8_t *end)
{
    int depth = 0;
    while ((at = memchr(at, '<', (size_t)(end - at)))) {
        const uint8_t *close = memchr(at, '>', (size_t)(end - at));
        if (!close)
            return NULL;
        if (at[1] == '/')
            depth--;
        else if (close[-1] != '/')
            depth++;
        at = close + 1;
        if (depth <= 0)
            return at;
    }
    return NULL;
}

static ssize_t take(uint32_t index, const uint8_t *bytes, size_t length)
{
    const uint8_t *at = bytes, *end = bytes + length, *next;
    while (at < end && (at = memchr(at, '<', (size_t)(end - at)))) {
        struct stanza head = {at, end};
        if (begins(head, "</stream:stream"))
            return -1;
        bool nothing = begins(head, "<?") || begins(head, "<stream:stream");
        next = nothing ? memchr(at, '>', (size_t)(end - at)) : element_end(at, end);
        if (!next)
            return at - bytes;
        next += nothing;
        if (!nothing && !take_stanza(index, (struct stanza){at, next}))
            return -1;
        at = next;
    }
    return (ssize_t)length;
}

const struct dialect xmpp_dialect = {
    .name = "xmpp",
    .prepare = prepare,
    .greet = greet,
    .take = take,
    .send = send_message,
    .before_write = before_write,
};
