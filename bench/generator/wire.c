#include "wire.h"

#include <stdlib.h>
#include <string.h>

void store32(uint8_t *at, uint32_t value)
{
    value = __builtin_bswap32(value);
    memcpy(at, &value, 4);
}

void store64(uint8_t *at, uint64_t value)
{
    value = __builtin_bswap64(value);
    memcpy(at, &value, 8);
}

uint32_t load32(const uint8_t *at)
{
    uint32_t value;
    memcpy(&value, at, 4);
    return __builtin_bswap32(value);
}

uint64_t load64(const uint8_t *at)
{
    uint64_t value;
    memcpy(&value, at, 8);
    return __builtin_bswap64(value);
}

/* --- reading -------------------------------------------------------------------------------- */

struct header read_header(const uint8_t *bytes)
{
    uint32_t word = load32(bytes);
    return (struct header){
        .length = word >> 8,
        .flags = (uint8_t)word,
        .type = (uint16_t)(bytes[4] << 8 | bytes[5]),
        .stream = (uint16_t)(bytes[6] << 8 | bytes[7]),
    };
}

/* The next `count` bytes as a big-endian number. */
static uint64_t take_number(struct reader *reader, unsigned count)
{
    if ((size_t)(reader->end - reader->at) < count) {
        reader->bad = true;
        return 0;
    }
    uint64_t value = 0;
    for (unsigned i = 0; i < count; i++)
        value = value << 8 | *reader->at++;
    return value;
}

uint64_t read_uint(struct reader *reader)
{
    uint8_t first = (uint8_t)take_number(reader, 1);
    if (first < 0x80)
        return first;
    if (first >= 0xcc && first <= 0xcf)
        return take_number(reader, 1u << (first - 0xcc));
    reader->bad = true;
    return 0;
}

uint32_t read_array(struct reader *reader)
{
    uint8_t first = (uint8_t)take_number(reader, 1);
    if ((first & 0xf0) == 0x90)
        return first & 0x0f;
    if (first == 0xdc || first == 0xdd)
        return (uint32_t)take_number(reader, first == 0xdc ? 2 : 4);
    reader->bad = true;
    return 0;
}

static const uint8_t *take_bytes(struct reader *reader, uint64_t length)
{
    if ((uint64_t)(reader->end - reader->at) < length) {
        reader->bad = true;
        return NULL;
    }
    const uint8_t *bytes = reader->at;
    reader->at += length;
    return bytes;
}

const uint8_t *read_bytes(struct reader *reader, size_t *length)
{
    uint8_t first = (uint8_t)take_number(reader, 1);
    *length = 0;
    if (first == 0xc0)
        return NULL;
    if (first < 0xc4 || first > 0xc6) {
        reader->bad = true;
        return NULL;
    }
    *length = (size_t)take_number(reader, 1u << (first - 0xc4));
    return take_bytes(reader, *length);
}

const uint8_t *read_exactly(struct reader *reader, size_t length)
{
    size_t found;
    const uint8_t *bytes = read_bytes(reader, &found);
    if (found == length)
        return bytes;
    reader->bad = true;
    return NULL;
}

void skip_value(struct reader *reader)
{
    if (reader->at >= reader->end) {
        reader->bad = true;
        return;
    }
    uint8_t first = *reader->at;
    if ((first & 0xf0) == 0x90 || first == 0xdc || first == 0xdd) {
        for (uint32_t count = read_array(reader); count && !reader->bad; count--)
            skip_value(reader);
    } else if (first >= 0xc4 && first <= 0xc6) {
        size_t length;
        read_bytes(reader, &length);
    } else if ((first & 0xe0) == 0xa0) {
        take_bytes(reader, 1u + (first & 0x1f));
    } else if (first >= 0xd9 && first <= 0xdb) {
        reader->at++;
        take_bytes(reader, take_number(reader, 1u << (first - 0xd9)));
    } else if (first == 0xc0 || first == 0xc2 || first == 0xc3) {
        reader->at++;
    } else {
        read_uint(reader);
    }
}

/* --- writing -------------------------------------------------------------------------------- */

static void write_head(struct buffer *out, uint8_t first, uint64_t value, unsigned count)
{
    uint8_t bytes[9] = {first};
    for (unsigned i = 0; i < count; i++)
        bytes[1 + i] = (uint8_t)(value >> 8 * (count - 1 - i));
    buffer_add(out, bytes, 1 + count);
}

size_t start_frame(struct buffer *out)
{
    memset(buffer_room(out, HEADER_BYTES), 0, HEADER_BYTES);
    out->end += HEADER_BYTES;
    return out->end - HEADER_BYTES - out->start;
}

void end_frame(struct buffer *out, size_t start, enum frame_type type, uint16_t stream)
{
    uint8_t *header = out->data + out->start + start;
    store32(header, (uint32_t)(buffer_length(out) - start - HEADER_BYTES) << 8);
    header[4] = (uint8_t)(type >> 8);
    header[5] = (uint8_t)type;
    header[6] = (uint8_t)(stream >> 8);
    header[7] = (uint8_t)stream;
}

void write_array(struct buffer *out, uint32_t count)
{
    if (count < 16)
        write_head(out, (uint8_t)(0x90 | count), 0, 0);
    else
        write_head(out, 0xdc, count, 2);
}

void write_uint(struct buffer *out, uint64_t value)
{
    if (value < 0x80)
        write_head(out, (uint8_t)value, 0, 0);
    else if (value <= UINT8_MAX)
        write_head(out, 0xcc, value, 1);
    else if (value <= UINT16_MAX)
        write_head(out, 0xcd, value, 2);
    else if (value <= UINT32_MAX)
        write_head(out, 0xce, value, 4);
    else
        write_head(out, 0xcf, value, 8);
}

void write_bytes(struct buffer *out, const void *bytes, size_t length)
{
    if (length <= UINT8_MAX)
        write_head(out, 0xc4, length, 1);
    else if (length <= UINT16_MAX)
        write_head(out, 0xc5, length, 2);
    else
        write_head(out, 0xc6, length, 4);
    buffer_add(out, bytes, length);
}

void write_nil(struct buffer *out)
{
    write_head(out, 0xc0, 0, 0);
}

void write_text(struct buffer *out, const char *text)
{
    size_t length = strlen(text); /* only short constants are written */
    write_head(out, (uint8_t)(0xa0 | length), 0, 0);
    buffer_add(out, text, length);
}

void write_hello(struct buffer *out, const uint8_t nonce[32])
{
    size_t start = start_frame(out);
    write_array(out, 3);
    write_array(out, 1);
    write_array(out, 2);
    write_uint(out, 1);
    write_uint(out, 0);
    write_bytes(out, nonce, 32);
    write_text(out, "wxserve bench");
    end_frame(out, start, HELLO, 0);
}

void write_auth(struct buffer *out, const uint8_t *credential, const uint8_t *signature)
{
    size_t start = start_frame(out);
    write_array(out, 2);
    write_bytes(out, credential, CREDENTIAL_BYTES);
    write_bytes(out, signature, SIGNATURE_BYTES);
    end_frame(out, start, AUTH, 0);
}

void write_device_credential(uint8_t out[CREDENTIAL_BYTES], const uint8_t *account,
                             const uint8_t *device)
{
    static const uint8_t head[] = {0x93, 0x01, 0xc4, ID_BYTES};
    static const uint8_t middle[] = {0xc4, DEVICE_BYTES};
    memcpy(out, head, sizeof head);
    memcpy(out + 4, account, ID_BYTES);
    memcpy(out + 20, middle, sizeof middle);
    memcpy(out + 22, device, DEVICE_BYTES);
}

static size_t bytes_head(size_t length)
{
    return length <= UINT8_MAX ? 2 : length <= UINT16_MAX ? 3 : 5;
}

struct template make_template(const uint8_t *device, size_t body_bytes)
{
    static const uint8_t zeros[ID_BYTES];
    struct buffer envelope = {0}, out = {0};
    uint8_t *body = make(body_bytes, 1);
    for (size_t i = 0; i < body_bytes; i++)
        body[i] = (uint8_t)random64(); /* encrypted bodies do not compress */
    write_array(&envelope, 12);
    write_uint(&envelope, 1); /* version */
    write_uint(&envelope, 1); /* kind: message */
    write_bytes(&envelope, zeros, ID_BYTES);
    for (int i = 0; i < 3; i++)
        write_uint(&envelope, 0); /* generation, epoch, suite */
    size_t op = buffer_length(&envelope) + 2;
    write_bytes(&envelope, zeros, ID_BYTES);
    memcpy(envelope.data + op, device, DEVICE_BYTES);
    write_uint(&envelope, 0); /* ttl */
    write_uint(&envelope, 1); /* priority */
    write_array(&envelope, 0);
    write_bytes(&envelope, zeros, 0); /* commitment */
    write_bytes(&envelope, body, body_bytes);
    size_t length = buffer_length(&envelope);
    size_t start = start_frame(&out);
    write_array(&out, 1);
    write_bytes(&out, envelope.data, length);
    end_frame(&out, start, SEND, 0);
    size_t inside = HEADER_BYTES + 1 + bytes_head(length);
    struct template made = {
        .frame = out.data,
        .length = buffer_length(&out),
        .conversation_at = inside + 5, /* array, version, kind, bin head */
        .counter_at = inside + op + DEVICE_BYTES,
        .body_at = inside + length - body_bytes,
    };
    buffer_free(&envelope);
    free(body);
    return made;
}
