/* Types, time, memory and byte buffers: what every other file builds on. */
#ifndef BASE_H
#define BASE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define NONE UINT32_MAX
#define US 1000ull
#define MS 1000000ull
#define SECOND 1000000000ull

/* Bytes with a read offset; grows as needed, so that 10,000 idle connections cost nothing. */
struct buffer {
    uint8_t *data;
    size_t start, end, room;
};

/* Ends the program with a message; a harness that cannot trust itself must not go on. */
__attribute__((noreturn, format(printf, 1, 2))) void die(const char *format, ...);

uint64_t now_ns(void);     /* monotonic */
uint64_t cpu_ns(void);     /* CPU time of this process, user and system */
uint64_t random64(void);   /* fast and repeatable; not for secrets */
void *grow(void *memory, size_t bytes); /* realloc that never fails */
void *make(size_t count, size_t bytes); /* calloc that never fails */

/* Room for `bytes` more; returns where to write. The caller adds to `end`. */
uint8_t *buffer_room(struct buffer *buffer, size_t bytes);
void buffer_add(struct buffer *buffer, const void *bytes, size_t length);
void buffer_take(struct buffer *buffer, size_t length);
void buffer_free(struct buffer *buffer);

static inline size_t buffer_length(const struct buffer *buffer)
{
    return buffer->end - buffer->start;
}

#endif
