/* One TCP connection, plain or TLS 1.3, never waiting. */
#ifndef CHANNEL_H
#define CHANNEL_H

#include "base.h"

#include <netinet/in.h>

struct tls;

struct channel {
    int fd;
    uint32_t device;
    bool connected, secure, wants_write, dirty, watched, watched_write;
    bool stalled, watched_stalled; /* nobody reads what comes */
    struct tls *tls;
    struct buffer in, out;
};

struct target {
    struct sockaddr_in address;
    bool tls;
    bool pinned;
    uint8_t pin[32];   /* SHA-256 of the server's public key */
    uint32_t sources;  /* how many loopback addresses to come from, 0 for the machine's own */
};

extern struct target target;

/* Begin to connect. Returns NULL when the machine refuses. */
struct channel *channel_open(uint32_t device);
/* Go on with connecting and TLS. Returns 1 when ready, 0 to wait, -1 when broken. */
int channel_advance(struct channel *channel);
/* Read what there is into `bytes`. Returns the count, 0 to wait, -1 at the end. */
ssize_t channel_read(struct channel *channel, uint8_t *bytes, size_t room);
/* Write what waits. Returns false when broken. */
bool channel_write(struct channel *channel);
void channel_close(struct channel *channel);

#endif
