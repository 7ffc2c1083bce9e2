/* What clients do besides sending messages. */
#ifndef CHORES_H
#define CHORES_H

#include "base.h"

void write_register(uint32_t device); /* a read marker */
void write_typing(uint32_t flow);
void reconnect(uint32_t device);

extern uint32_t retries_max; /* for each device: a run that only fails must end */

/* Log in devices `first` … `first + count - 1`, at most `at_once` of them under way together. */
void logins_start(uint32_t first, uint32_t count, uint32_t at_once);
bool logins_done(void);
void logins_continue(void); /* begin as many as there is room for */
/* Cut the connections of these devices. */
void logins_drop(uint32_t first, uint32_t count);

#endif
