/* The life of a connection by the protocol's rules: handshake, SYNC, acknowledge, credit. */
#ifndef SESSION_H
#define SESSION_H

#include "channel.h"
#include "histogram.h"
#include "plan.h"

struct standing;

struct session_counts {
    uint64_t logins;         /* became current */
    uint64_t login_failures; /* ended before that */
    uint64_t disconnects;    /* ended after that, not by us */
    uint64_t errors;         /* ERROR frames that ended a connection */
    uint64_t pages, registers, ephemerals;
};

extern struct session_counts session_counts;
extern struct histogram login_times, current_times; /* from connecting to WELCOME, to SYNCED */
extern uint32_t live_count; /* devices that are logged in and current */
/* From where devices resume: as new ones, from what they have, or as if they had everything. */
extern enum since { SINCE_ZERO, SINCE_OWN, SINCE_NOW } since;
extern uint16_t last_error; /* code of the last ERROR that ended a connection */
extern int signer_fd;       /* where to ask for signatures; -1: OpenSSL signs */

/* What sessions tell; traffic.c and chores.c listen. */
void on_live(uint32_t device);
void on_lost(uint32_t device, bool was_live);
void on_over(uint32_t flow);     /* an operation is accepted and delivered to all */
void on_answered(uint32_t flow); /* an operation is accepted */
void on_refused(uint32_t device, uint16_t stream, bool temporary, uint32_t retry_ms);

bool session_start(uint32_t device); /* false when the machine refuses */
void session_ready(uint32_t device); /* its socket can be read or written */
void session_drop(uint32_t device);  /* our own decision: no disconnect is counted */
void session_lose(uint32_t device);
void session_dirty(uint32_t device); /* something waits in its buffer */
void session_flush(void);            /* write everything that waits */

/* Stop reading what a device is sent, or go on: a slow reader. */
void session_stall(uint32_t device, bool stalled);

void session_acknowledge(uint32_t device);
void session_owe_ack(struct standing *standing);
void session_timers(uint64_t now); /* acknowledgements and heartbeats that are due */
uint64_t session_next_timer(void);
void session_signed(void); /* read signatures from `signer_fd` */

/* main.c: what epoll should tell of a socket. */
void session_watch(struct channel *channel);
void session_unwatch(struct channel *channel);

#endif
