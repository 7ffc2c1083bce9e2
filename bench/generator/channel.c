#include "channel.h"

#include "tls.h"

#include <errno.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

struct target target;

/* Many clients do not share one address; servers count by it. 127.0.0.0/8 is all ours. */
static void bind_source(int fd, uint32_t device)
{
    if (!target.sources)
        return;
    uint32_t number = device % target.sources;
    struct sockaddr_in source = {
        .sin_family = AF_INET,
        .sin_addr.s_addr = htonl(127u << 24 | (1 + number / 200) << 16 | (1 + number % 200) << 8
                                 | 1),
    };
    int on = 1;
    setsockopt(fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &on, sizeof on);
    if (bind(fd, (struct sockaddr *)&source, sizeof source))
        die("cannot bind to a loopback address: %s", strerror(errno));
}

struct channel *channel_open(uint32_t device)
{
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return NULL;
    int on = 1;
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    bind_source(fd, device);
    if (connect(fd, (struct sockaddr *)&target.address, sizeof target.address)
        && errno != EINPROGRESS) {
        close(fd);
        return NULL;
    }
    struct channel *channel = make(1, sizeof *channel);
    channel->fd = fd;
    channel->device = device;
    channel->wants_write = true;
    return channel;
}

int channel_advance(struct channel *channel)
{
    if (!channel->connected) {
        int error = 0;
        socklen_t length = sizeof error;
        getsockopt(channel->fd, SOL_SOCKET, SO_ERROR, &error, &length);
        struct sockaddr_in peer;
        length = sizeof peer;
        if (error)
            return -1;
        if (getpeername(channel->fd, (struct sockaddr *)&peer, &length))
            return 0;
        channel->connected = true;
        channel->wants_write = false;
        if (target.tls)
            channel->tls = tls_open(channel->fd);
    }
    if (!target.tls || channel->secure)
        return 1;
    int done = tls_advance(channel->tls, &channel->wants_write);
    channel->secure = done > 0;
    return done;
}

ssize_t channel_read(struct channel *channel, uint8_t *bytes, size_t room)
{
    if (channel->tls)
        return tls_read(channel->tls, bytes, room);
    ssize_t count = recv(channel->fd, bytes, room, 0);
    if (count > 0)
        return count;
    return count < 0 && (errno == EAGAIN || errno == EINTR) ? 0 : -1;
}

bool channel_write(struct channel *channel)
{
    struct buffer *out = &channel->out;
    channel->wants_write = false;
    while (buffer_length(out)) {
        const uint8_t *bytes = out->data + out->start;
        ssize_t count = channel->tls
            ? tls_write(channel->tls, bytes, buffer_length(out))
            : send(channel->fd, bytes, buffer_length(out), MSG_NOSIGNAL);
        if (!channel->tls && count < 0 && (errno == EAGAIN || errno == EINTR))
            count = 0;
        if (count < 0)
            return false;
        if (count == 0) {
            channel->wants_write = true;
            return true;
        }
        buffer_take(out, (size_t)count);
    }
    return true;
}

void channel_close(struct channel *channel)
{
    if (channel->tls)
        tls_close(channel->tls);
    close(channel->fd);
    buffer_free(&channel->in);
    buffer_free(&channel->out);
    free(channel);
}
