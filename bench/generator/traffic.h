/* When what is sent: closed windows, fixed rates, bursts; and what else clients do all day. */
#ifndef TRAFFIC_H
#define TRAFFIC_H

#include "base.h"

/* Things that happen at a fixed rate, whatever the answers do. */
enum chore { MESSAGE, REGISTER_WRITE, TYPING, RECONNECT, CHORES };

/* Flows `first` … `first + count - 1` keep their windows full until `traffic_stop`. */
void traffic_close(uint32_t first, uint32_t count);
/* Each of them sends `messages` and waits for the acceptances only. */
void traffic_burst(uint32_t first, uint32_t count, uint64_t messages);
/* The same without an end. */
void traffic_flood(uint32_t first, uint32_t count);
/* Do a chore `per_s` times a second, over these flows (or devices) in turn; 0 ends it. */
void traffic_rate(enum chore chore, uint32_t first, uint32_t count, double per_s);
void traffic_stop(void);
/* A device is back: what it had sent without an answer, it sends again. */
void traffic_resume(uint32_t device);
bool traffic_burst_done(void);
/* How many scheduled messages could not leave yet because too many were unanswered. */
uint64_t traffic_backlog(void);
void traffic_timers(uint64_t now);
uint64_t traffic_next_timer(void);

#endif
