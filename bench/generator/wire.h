/* The protocol's bytes: frames and the msgpack inside them, written from the specification. */
#ifndef WIRE_H
#define WIRE_H

#include "base.h"

#define HEADER_BYTES 8
#define ID_BYTES 16
#define DEVICE_BYTES 8
#define KEY_BYTES 32
#define SIGNATURE_BYTES 64
#define CREDENTIAL_BYTES 30
#define FLAG_CURRENT 0x01

enum frame_type {
    HELLO = 0x01, CHALLENGE, AUTH, WELCOME,
    PING = 0x10, PONG, ERROR, GOAWAY, REPLACED, DONE,
    SEND = 0x20, ACCEPTED, DELIVER, SKIP, ACK, CREDIT, SYNC, CHANGES, TOO_FAR, SYNCED,
    SET_REGISTER = 0x30, REGISTER,
    EPHEMERAL = 0x38,
};

struct header {
    uint32_t length;
    uint8_t flags;
    uint16_t type, stream;
};

/* Reads msgpack; anything unexpected sets `bad` and yields zeros from then on. */
struct reader {
    const uint8_t *at, *end;
    bool bad;
};

struct header read_header(const uint8_t *bytes);
uint64_t read_uint(struct reader *reader);
uint32_t read_array(struct reader *reader);
/* A byte string of exactly `length` bytes, or NULL. */
const uint8_t *read_exactly(struct reader *reader, size_t length);
/* A byte string of any length, or NULL for nil. */
const uint8_t *read_bytes(struct reader *reader, size_t *length);
void skip_value(struct reader *reader);

/* Start a frame in `out`; returns its offset for `end_frame`, which writes the header. */
size_t start_frame(struct buffer *out);
void end_frame(struct buffer *out, size_t start, enum frame_type type, uint16_t stream);
void write_array(struct buffer *out, uint32_t count);
void write_uint(struct buffer *out, uint64_t value);
void write_bytes(struct buffer *out, const void *bytes, size_t length);
void write_nil(struct buffer *out);
void write_text(struct buffer *out, const char *text);

void write_hello(struct buffer *out, const uint8_t nonce[32]);
void write_auth(struct buffer *out, const uint8_t *credential, const uint8_t *signature);
void write_device_credential(uint8_t out[CREDENTIAL_BYTES], const uint8_t *account,
                             const uint8_t *device);

/* A SEND frame with places to fill in, so that sending one is a copy and four stores. */
struct template {
    uint8_t *frame;
    size_t length, conversation_at, counter_at, body_at;
};

#define BODY_BYTES_MIN 16 /* run (8), device (4), flow (4) */
struct template make_template(const uint8_t *device, size_t body_bytes);
void store64(uint8_t *at, uint64_t value); /* network order */
void store32(uint8_t *at, uint32_t value);
/* The stream that an operation is sent in; far fewer are open than there are streams. */
#define SEND_STREAMS 65000
static inline uint16_t stream_of(uint64_t counter)
{
    return (uint16_t)(counter % SEND_STREAMS + 1);
}
uint64_t load64(const uint8_t *at);
uint32_t load32(const uint8_t *at);

#endif
