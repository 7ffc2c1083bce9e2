/* The protocols that the generator speaks: ours, and those of the peers it is compared with. */
#ifndef DIALECT_H
#define DIALECT_H

#include "plan.h"

#include <sys/types.h>

struct dialect {
    const char *name;
    /* Make the template of a flow's messages; called for every flow before anything else. */
    void (*prepare)(uint32_t flow);
    /* The connection stands: begin to log in. */
    void (*greet)(uint32_t device);
    /* Take the whole messages at the front; returns how many bytes they were, or -1 at an end. */
    ssize_t (*take)(uint32_t device, const uint8_t *bytes, size_t length);
    /* Write one message of a flow. */
    void (*send)(const struct flow *flow, uint32_t conversation, uint64_t counter);
    /* Write what the device has received and which of its operations are over. May be NULL. */
    void (*acknowledge)(uint32_t device);
    /* What waits for a device is about to be written, all of it at once. May be NULL. */
    void (*before_write)(uint32_t device);
    /* Say something, so that the server does not think it has gone. May be NULL. */
    void (*heartbeat)(uint32_t device);
};

extern const struct dialect *dialect; /* the one of this run */
extern const struct dialect wxserve_dialect, xmpp_dialect, mqtt_dialect, mqtt5_dialect,
    nats_dialect, floor_dialect;

void dialect_choose(const char *name);

#endif
