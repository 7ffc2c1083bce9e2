#include "base.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

void die(const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    fputs("generator: ", stderr);
    vfprintf(stderr, format, arguments);
    fputc('\n', stderr);
    va_end(arguments);
    exit(3);
}

static uint64_t read_clock(clockid_t clock)
{
    struct timespec time;
    clock_gettime(clock, &time);
    return (uint64_t)time.tv_sec * SECOND + (uint64_t)time.tv_nsec;
}

uint64_t now_ns(void)
{
    return read_clock(CLOCK_MONOTONIC);
}

uint64_t cpu_ns(void)
{
    return read_clock(CLOCK_PROCESS_CPUTIME_ID);
}

uint64_t random64(void)
{
    /* xorshift64*, Vigna 2016: the order of the load must be the same in every repetition. */
    static uint64_t state = 0x9e3779b97f4a7c15ull;
    state ^= state >> 12;
    state ^= state << 25;
    state ^= state >> 27;
    return state * 0x2545f4914f6cdd1dull;
}

void *grow(void *memory, size_t bytes)
{
    void *more = realloc(memory, bytes ? bytes : 1);
    if (!more)
        die("out of memory (%zu bytes)", bytes);
    return more;
}

void *make(size_t count, size_t bytes)
{
    void *memory = calloc(count ? count : 1, bytes ? bytes : 1);
    if (!memory)
        die("out of memory (%zu x %zu bytes)", count, bytes);
    return memory;
}

uint8_t *buffer_room(struct buffer *buffer, size_t bytes)
{
    if (buffer->start == buffer->end)
        buffer->start = buffer->end = 0;
    if (buffer->room - buffer->end < bytes && buffer->start) {
        memmove(buffer->data, buffer->data + buffer->start, buffer_length(buffer));
        buffer->end -= buffer->start;
        buffer->start = 0;
    }
    if (buffer->room - buffer->end < bytes) {
        size_t room = buffer->room ? buffer->room : 512;
        while (room - buffer->end < bytes)
            room *= 2;
        buffer->data = grow(buffer->data, room);
        buffer->room = room;
    }
    return buffer->data + buffer->end;
}

void buffer_add(struct buffer *buffer, const void *bytes, size_t length)
{
    memcpy(buffer_room(buffer, length), bytes, length);
    buffer->end += length;
}

void buffer_take(struct buffer *buffer, size_t length)
{
    buffer->start += length;
    if (buffer->start != buffer->end)
        return;
    buffer->start = buffer->end = 0;
    if (buffer->room > 65536) /* one burst must not stay in memory for ever */
        buffer_free(buffer);
}

void buffer_free(struct buffer *buffer)
{
    free(buffer->data);
    *buffer = (struct buffer){0};
}
