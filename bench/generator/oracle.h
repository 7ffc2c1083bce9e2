/* The judge: what every device must hear, in which order and how often, against what it heard. */
#ifndef ORACLE_H
#define ORACLE_H

#include "histogram.h"
#include "plan.h"

/* What one device has of one conversation. */
struct standing {
    uint64_t received;   /* the highest sequence number ever */
    uint64_t run;        /* the highest one in this session */
    uint64_t missing;    /* bit k: entry `run - 1 - k` was left out so far */
    uint64_t own_counter, own_seq; /* the device's newest accepted operation here */
    uint32_t device, conversation, session;
    bool known, unacked;
};

struct counts {
    uint64_t sent, accepted, delivered, completed;
    uint64_t lost;        /* accepted and not delivered, or never answered; known at the end */
    uint64_t unanswered;  /* of those: never answered */
    uint64_t duplicated;  /* the same entry or operation twice, other than by a reconnect */
    uint64_t reordered;   /* after a later one */
    uint64_t holes;       /* sequence numbers passed over and never told */
    uint64_t corrupted;   /* a place or content that contradicts what was told before */
    uint64_t late;        /* accepted or delivered after the limit */
    uint64_t redelivered; /* again after a reconnect, as the protocol allows */
    uint64_t refused;     /* answered with ERROR */
};

extern struct counts counts; /* since the start of the program */
extern struct histogram accept_times, deliver_times;
extern uint64_t late_ns, last_delivery_ns;

struct standing *standing_of(uint32_t device, uint32_t conversation);
/* A device starts a new session: the server starts again from its stored cursors. */
void oracle_session(uint32_t device);

/* An operation is sent; returns its counter. `due_ns` is what latencies are counted from. */
uint64_t oracle_sent(uint32_t flow, uint32_t conversation, uint64_t due_ns);
struct record *record_of(uint32_t device, uint64_t counter);

enum outcome { OPEN_STILL, OVER, NOT_OURS };
struct entry {
    uint32_t conversation;
    uint64_t seq, counter; /* counter: of the operation */
};
/* ACCEPTED; `current` is its flag. Sets `flow` when there was such an operation. */
enum outcome oracle_accepted(uint32_t device, struct entry entry, bool current, uint32_t *flow);
/* DELIVER of a message that this run's device `origin` sent. */
enum outcome oracle_delivered(uint32_t device, struct entry entry, uint32_t origin,
                              uint32_t *flow);
/* Any other DELIVER: only its number is judged. Returns whether it was new. */
bool oracle_entry(struct standing *standing, uint64_t seq);
/* SKIP or TOO_FAR: everything through `seq` is told. */
void oracle_skip(struct standing *standing, uint64_t seq);
/* An operation was refused for good. */
void oracle_refused(uint32_t device, uint64_t counter);
uint64_t oracle_open(void); /* operations that are not over */
/* At the end of a run: count what never came. */
void oracle_finish(void);

#endif
