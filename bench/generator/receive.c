/* Our own protocol: the handshake, then one function for each frame. */
#include "dialect.h"
#include "oracle.h"
#include "session.h"
#include "tls.h"

#include <string.h>
#include <unistd.h>

#define SYNC_STREAM 65001
#define SYNC_PAGE 256

/* --- the handshake -------------------------------------------------------------------------- */

static void greet(uint32_t index)
{
    struct device *device = &devices[index];
    for (size_t i = 0; i < sizeof device->nonce; i += 8)
        store64(device->nonce + i, random64());
    write_hello(&device->channel->out, device->nonce);
    device->phase = GREETING;
    session_dirty(device->channel->device);
}

static void send_auth(struct device *device, const uint8_t *signature)
{
    uint8_t credential[CREDENTIAL_BYTES];
    write_device_credential(credential, device->account, device->id);
    write_auth(&device->channel->out, credential, signature);
    session_dirty(device->channel->device);
}

/* Without OpenSSL: device, length of CHALLENGE, HELLO's nonce, CHALLENGE. */
static void ask_signer(struct device *device, const uint8_t *challenge, size_t length)
{
    uint8_t request[8 + 32 + 256];
    if (length > 256)
        die("CHALLENGE is too long");
    store32(request, (uint32_t)(device - devices));
    store32(request + 4, (uint32_t)length);
    memcpy(request + 8, device->nonce, 32);
    memcpy(request + 40, challenge, length);
    if (write(signer_fd, request, 40 + length) != (ssize_t)(40 + length))
        die("the signer does not listen");
}

void session_signed(void)
{
    uint8_t answer[4 + SIGNATURE_BYTES];
    if (read(signer_fd, answer, sizeof answer) != sizeof answer)
        die("the signer has ended");
    struct device *device = &devices[load32(answer) % device_count];
    if (device->phase == ENTERING)
        send_auth(device, answer + 4);
}

static void challenged(struct device *device, const uint8_t *body, size_t length)
{
    uint8_t credential[CREDENTIAL_BYTES], signature[SIGNATURE_BYTES];
    struct buffer hello = {0};
    device->phase = ENTERING;
    if (signer_fd >= 0) {
        ask_signer(device, body, length);
        return;
    }
    write_hello(&hello, device->nonce);
    write_device_credential(credential, device->account, device->id);
    struct transcript transcript = {
        .hello = hello.data + HEADER_BYTES,
        .hello_length = buffer_length(&hello) - HEADER_BYTES,
        .challenge = body,
        .challenge_length = length,
        .credential = credential,
        .credential_length = sizeof credential,
    };
    sign_transcript(&transcript, device->key, signature);
    buffer_free(&hello);
    send_auth(device, signature);
}

static void sync_from(struct device *device, uint64_t position)
{
    struct buffer *out = &device->channel->out;
    size_t start = start_frame(out);
    write_array(out, 2);
    write_uint(out, position);
    write_uint(out, SYNC_PAGE);
    end_frame(out, start, SYNC, SYNC_STREAM);
    device->phase = SYNCING;
    session_dirty(device->channel->device);
}

static void welcomed(struct device *device, struct reader *body)
{
    struct operations *operations = &device->operations;
    read_array(body);
    for (int i = 0; i < 5; i++) /* session … cuts */
        skip_value(body);
    uint64_t position = read_uint(body);
    read_uint(body); /* time_ms */
    uint64_t op_last = read_uint(body), op_floor = read_uint(body);
    if (!operations->head) /* what earlier runs sent is over */
        operations->tail = operations->floor = operations->head = op_last + 1;
    else if (op_last >= operations->head)
        die("the server knows operations that were never sent");
    device->floor_told = op_floor;
    read_uint(body);
    device->heartbeat_max_s = (uint16_t)read_uint(body);
    device->credit_bytes = (uint32_t)read_uint(body);
    device->credit_entries = (uint32_t)read_uint(body);
    histogram_add(&login_times, now_ns() - device->started_ns);
    const uint64_t positions[] = {
        [SINCE_ZERO] = 0, [SINCE_OWN] = device->position, [SINCE_NOW] = position};
    sync_from(device, positions[since]);
}

/* --- entries -------------------------------------------------------------------------------- */

/* Count against the push window, and open it again at half. */
static void spend(uint32_t index, uint32_t bytes)
{
    struct device *device = &devices[index];
    device->used_bytes += bytes;
    device->used_entries++;
    if (device->used_bytes < device->credit_bytes / 2
        && device->used_entries < device->credit_entries / 2)
        return;
    struct buffer *out = &device->channel->out;
    size_t start = start_frame(out);
    write_array(out, 2);
    write_uint(out, device->used_bytes);
    write_uint(out, device->used_entries);
    end_frame(out, start, CREDIT, 0);
    device->used_bytes = device->used_entries = 0;
    session_dirty(index);
}

static struct standing *owed(uint32_t index, const uint8_t *conversation)
{
    struct standing *standing = standing_of(index, conversation_added(conversation));
    session_owe_ack(standing);
    return standing;
}

static void accepted(uint32_t index, struct reader *body, uint8_t flags)
{
    read_array(body);
    const uint8_t *op = read_exactly(body, ID_BYTES), *id = read_exactly(body, ID_BYTES);
    uint64_t seq = read_uint(body);
    uint32_t flow;
    if (body->bad)
        return;
    struct entry entry = {conversation_added(id), seq, load64(op + DEVICE_BYTES)};
    enum outcome outcome = oracle_accepted(index, entry, flags & FLAG_CURRENT, &flow);
    if (flags & FLAG_CURRENT)
        session_owe_ack(standing_of(index, entry.conversation));
    if (outcome == NOT_OURS)
        return;
    on_answered(flow);
    if (outcome == OVER)
        on_over(flow);
}

/* Whether an envelope carries a message of this run; then its sender and operation. */
static bool is_own_message(struct reader *envelope, uint32_t *origin, uint64_t *counter)
{
    size_t length;
    read_array(envelope);
    read_uint(envelope);
    bool message = read_uint(envelope) == 1;
    for (int i = 0; i < 4; i++) /* conversation, generation, epoch, suite */
        skip_value(envelope);
    const uint8_t *op = read_exactly(envelope, ID_BYTES);
    for (int i = 0; i < 4; i++) /* ttl, priority, blobs, commitment */
        skip_value(envelope);
    const uint8_t *body = read_bytes(envelope, &length);
    if (envelope->bad || !message || length < BODY_BYTES_MIN || load64(body) != run_nonce)
        return false;
    *origin = load32(body + 8);
    *counter = load64(op + DEVICE_BYTES);
    uint32_t number = load32(body + 12);
    const struct flow *flow = number < flow_count ? &flows[number] : NULL;
    if (!flow || flow->device != *origin || flow->body_bytes != length
        || memcmp(op, devices[*origin].id, DEVICE_BYTES)
        || memcmp(body, flow->template.frame + flow->template.body_at, length)) {
        counts.corrupted++; /* an envelope is forwarded byte for byte, or the message is lost */
        return false;
    }
    return true;
}

static void delivered(uint32_t index, struct reader *body, uint32_t frame_bytes)
{
    size_t length;
    struct entry entry;
    uint32_t origin, flow;
    read_array(body);
    const uint8_t *id = read_exactly(body, ID_BYTES);
    entry.seq = read_uint(body);
    for (int i = 0; i < 4; i++) /* position, time, sender, tag */
        skip_value(body);
    const uint8_t *envelope = read_bytes(body, &length);
    if (body->bad)
        return;
    spend(index, frame_bytes);
    struct reader inside = {envelope, envelope + length, false};
    struct standing *standing = owed(index, id);
    entry.conversation = standing->conversation;
    if (!is_own_message(&inside, &origin, &entry.counter))
        oracle_entry(standing, entry.seq);
    else if (oracle_delivered(index, entry, origin, &flow) == OVER)
        on_over(flow);
}

static void skipped(uint32_t index, struct reader *body, bool too_far)
{
    read_array(body);
    const uint8_t *id = read_exactly(body, ID_BYTES);
    uint64_t through = read_uint(body) - too_far;
    if (body->bad)
        return;
    spend(index, 0);
    oracle_skip(owed(index, id), through);
}

/* --- everything else ------------------------------------------------------------------------ */

static void synced(uint32_t index, struct reader *body)
{
    struct device *device = &devices[index];
    read_array(body);
    device->position = read_uint(body);
    if (device->phase != SYNCING)
        return;
    device->phase = LIVE;
    live_count++;
    session_counts.logins++;
    histogram_add(&current_times, now_ns() - device->started_ns);
    on_live(index);
}

/* Returns false when the connection ends with it. */
static bool refused(uint32_t index, struct reader *body, uint16_t stream)
{
    read_array(body);
    uint16_t code = (uint16_t)read_uint(body);
    bool temporary = body->at < body->end && *body->at == 0xc3;
    skip_value(body);
    uint32_t retry_ms = (uint32_t)read_uint(body);
    last_error = code;
    if (!stream) {
        session_counts.errors++;
        return false;
    }
    counts.refused++;
    on_refused(index, stream, temporary, retry_ms);
    return true;
}

/* Returns false when the connection ends with this frame. */
static bool take_frame(uint32_t index, struct header header, const uint8_t *bytes)
{
    struct device *device = &devices[index];
    struct reader body = {bytes, bytes + header.length, false};
    switch (header.type) {
    case CHALLENGE: challenged(device, bytes, header.length); break;
    case WELCOME: welcomed(device, &body); break;
    case ACCEPTED: accepted(index, &body, header.flags); break;
    case DELIVER: delivered(index, &body, HEADER_BYTES + header.length); break;
    case SKIP: skipped(index, &body, false); break;
    case TOO_FAR: skipped(index, &body, true); break;
    case SYNCED: synced(index, &body); break;
    case CHANGES: session_counts.pages++; break;
    case REGISTER: session_counts.registers++; break;
    case EPHEMERAL: session_counts.ephemerals++; break;
    case PING:
        end_frame(&device->channel->out, start_frame(&device->channel->out), PONG, 0);
        session_dirty(index);
        break;
    case ERROR: return refused(index, &body, header.stream);
    case REPLACED: return false;
    case PONG: case GOAWAY: case DONE: break;
    default: die("an unknown frame, type %#x", header.type);
    }
    if (body.bad)
        die("a frame of type %#x cannot be read", header.type);
    return true;
}

/* Take the whole frames at the front; returns how many bytes they were, or -1 at an end. */
static ssize_t take_frames(uint32_t index, const uint8_t *bytes, size_t length)
{
    size_t at = 0;
    while (length - at >= HEADER_BYTES) {
        struct header header = read_header(bytes + at);
        if (length - at < HEADER_BYTES + header.length)
            break;
        if (!take_frame(index, header, bytes + at + HEADER_BYTES))
            return -1;
        at += HEADER_BYTES + header.length;
    }
    return (ssize_t)at;
}

/* --- what is written ------------------------------------------------------------------------ */

static void prepare(uint32_t number)
{
    struct flow *flow = &flows[number];
    flow->template = make_template(devices[flow->device].id, flow->body_bytes);
    store64(flow->template.frame + flow->template.body_at, run_nonce);
    store32(flow->template.frame + flow->template.body_at + 8, flow->device);
    store32(flow->template.frame + flow->template.body_at + 12, number);
}

static void write_send(const struct flow *flow, uint32_t conversation, uint64_t counter)
{
    const struct template *template = &flow->template;
    struct buffer *out = &devices[flow->device].channel->out;
    uint8_t *frame = buffer_room(out, template->length);
    memcpy(frame, template->frame, template->length);
    frame[6] = (uint8_t)(stream_of(counter) >> 8);
    frame[7] = (uint8_t)stream_of(counter);
    memcpy(frame + template->conversation_at, conversations[conversation].id, ID_BYTES);
    store64(frame + template->counter_at, counter);
    out->end += template->length;
    session_dirty(flow->device);
}

static void write_ack(uint32_t index)
{
    struct device *device = &devices[index];
    struct buffer *out = &device->channel->out;
    size_t start = start_frame(out);
    write_array(out, 2);
    write_array(out, device->unacked_count);
    for (uint32_t i = 0; i < device->unacked_count; i++) {
        struct standing *standing = device->unacked[i];
        write_array(out, 2);
        write_bytes(out, conversations[standing->conversation].id, ID_BYTES);
        write_uint(out, standing->run);
    }
    write_uint(out, device->operations.floor);
    end_frame(out, start, ACK, 0);
}

static void write_ping(uint32_t index)
{
    struct device *device = &devices[index];
    struct buffer *out = &device->channel->out;
    if (now_ns() - device->spoke_ns >= device->heartbeat_max_s * SECOND * 3 / 4)
        end_frame(out, start_frame(out), PING, 0);
}

const struct dialect wxserve_dialect = {
    .name = "wxserve",
    .prepare = prepare,
    .greet = greet,
    .take = take_frames,
    .send = write_send,
    .acknowledge = write_ack,
    .heartbeat = write_ping,
};
