/* What the dialects of the peers share: a text body that names its message, and the way to the
   oracle. Their receipts carry no number of a conversation's own order, and here each conversation
   has one writer; so the number that the writer gave a message is its place. */
#ifndef PEER_H
#define PEER_H

#include "plan.h"

#define PEER_BODY_MIN 48 /* run (16 digits), device (8), flow (8), counter (16), all hexadecimal */
#define PEER_STREAMS 65000

/* Whether the conversation has more than two members; and the one that a message of the flow is
   for if it has not. */
bool peer_is_group(uint32_t conversation);
uint32_t peer_reader(uint32_t flow);
/* Whether a device only writes in a conversation. */
bool peer_only_writes(uint32_t device, uint32_t conversation);

/* Start a flow's template with the bytes that come before the body; then add the body. */
void peer_begin(uint32_t flow);
void peer_text(uint32_t flow, const char *format, ...) __attribute__((format(printf, 2, 3)));
void peer_bytes(uint32_t flow, const void *bytes, size_t length);
void peer_body(uint32_t flow);
/* Copy the template into what is to be written, with the counter in its body; returns it. */
uint8_t *peer_message(const struct flow *flow, uint64_t counter);
void peer_hex(uint8_t *at, uint64_t value); /* 16 digits */
bool peer_unhex(const uint8_t *at, unsigned digits, uint64_t *value);

/* To be written on the device's connection. */
void peer_say(uint32_t device, const char *format, ...) __attribute__((format(printf, 2, 3)));

void peer_live(uint32_t device); /* it is logged in */
void peer_answered(uint32_t device, uint64_t counter);
void peer_answered_through(uint32_t device, uint64_t counter);
/* The open operation that has this number below PEER_STREAMS. */
uint64_t peer_counter(uint32_t device, uint32_t stream);
void peer_delivered(uint32_t device, const uint8_t *body, size_t length);

#endif
