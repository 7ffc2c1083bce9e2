/* The least that a server can do: passes messages on, without accounts, queries or a memory of what
   it passed. With --log FILE each batch is appended to a file and synced before anything of it is
   answered or delivered. What every other server does on top can be read from the difference.
   Its frames are described in bench/generator/floor.c. */
#define _GNU_SOURCE /* accept4 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <unistd.h>

#define EVENTS_MAX 512
#define READ_BYTES (256 * 1024)
#define HEAD_BYTES 5
#define TO_GROUP 0x80000000u
#define DEVICES_MAX 65536
#define GROUPS_MAX 65536

enum kind { LOGIN = 1, JOIN, MESSAGE_TO, ACCEPTED_THROUGH, MESSAGE_FROM };

struct buffer {
    uint8_t *data;
    size_t start, end, room;
};

/* One device; its messages wait here while it is away. */
struct device {
    int connection; /* -1: away */
    bool dirty, waits; /* waits: until its socket can be written again */
    struct buffer out;
    uint64_t accepted; /* what to answer; 0: nothing new */
};

struct connection {
    bool open;
    uint32_t device; /* DEVICES_MAX before it has logged in */
    struct buffer in;
};

struct group {
    uint32_t *members;
    uint32_t count;
};

static struct device devices[DEVICES_MAX];
static struct connection connections[DEVICES_MAX]; /* by descriptor */
static struct group groups[GROUPS_MAX];
static uint32_t dirty[DEVICES_MAX], dirty_count;
static struct buffer to_log;
static int epoll_fd, log_fd = -1;

__attribute__((noreturn)) static void die(const char *what)
{
    perror(what);
    exit(1);
}

static uint32_t load32(const uint8_t *at)
{
    uint32_t value;
    memcpy(&value, at, sizeof value);
    return ntohl(value);
}

static void store32(uint8_t *at, uint32_t value)
{
    value = htonl(value);
    memcpy(at, &value, sizeof value);
}

static uint8_t *room_for(struct buffer *buffer, size_t bytes)
{
    if (buffer->start == buffer->end)
        buffer->start = buffer->end = 0;
    if (buffer->room - buffer->end < bytes && buffer->start) {
        memmove(buffer->data, buffer->data + buffer->start, buffer->end - buffer->start);
        buffer->end -= buffer->start;
        buffer->start = 0;
    }
    if (buffer->room - buffer->end < bytes) {
        while (buffer->room - buffer->end < bytes)
            buffer->room = buffer->room ? 2 * buffer->room : 1024;
        buffer->data = realloc(buffer->data, buffer->room);
        if (!buffer->data)
            die("memory");
    }
    return buffer->data + buffer->end;
}

static void add(struct buffer *buffer, const void *bytes, size_t length)
{
    memcpy(room_for(buffer, length), bytes, length);
    buffer->end += length;
}

static void add_head(struct buffer *buffer, enum kind kind, size_t body)
{
    uint8_t head[HEAD_BYTES];
    store32(head, (uint32_t)body + 1);
    head[4] = (uint8_t)kind;
    add(buffer, head, sizeof head);
}

static void touch(uint32_t device)
{
    if (devices[device].dirty)
        return;
    devices[device].dirty = true;
    dirty[dirty_count++] = device;
}

static void deliver(uint32_t device, const uint8_t *body, size_t length)
{
    add_head(&devices[device].out, MESSAGE_FROM, length);
    add(&devices[device].out, body, length);
    touch(device);
}

static void pass_on(uint32_t from, const uint8_t *frame, size_t length)
{
    uint32_t to = load32(frame);
    uint64_t counter = (uint64_t)load32(frame + 4) << 32 | load32(frame + 8);
    if (log_fd >= 0)
        add(&to_log, frame - HEAD_BYTES, length + HEAD_BYTES);
    devices[from].accepted = counter;
    touch(from);
    if (!(to & TO_GROUP)) {
        deliver(to % DEVICES_MAX, frame + 12, length - 12);
        return;
    }
    const struct group *group = &groups[to % GROUPS_MAX];
    for (uint32_t i = 0; i < group->count; i++)
        if (group->members[i] != from)
            deliver(group->members[i], frame + 12, length - 12);
}

static void join(uint32_t number, uint32_t device)
{
    struct group *group = &groups[number % GROUPS_MAX];
    for (uint32_t i = 0; i < group->count; i++)
        if (group->members[i] == device)
            return;
    group->members = realloc(group->members, (group->count + 1) * sizeof *group->members);
    if (!group->members)
        die("memory");
    group->members[group->count++] = device;
}

/* JOINs come before LOGIN, which tells the device; so they are kept as they come, by descriptor. */
static void login(int fd, uint32_t number, const uint8_t *joins, size_t length)
{
    uint32_t device = number % DEVICES_MAX;
    connections[fd].device = device;
    devices[device].connection = fd;
    devices[device].waits = false;
    for (size_t at = 0; at < length; at += HEAD_BYTES + 4)
        join(load32(joins + at + HEAD_BYTES), device);
    struct buffer waiting = devices[device].out;
    devices[device].out = (struct buffer){0};
    add_head(&devices[device].out, LOGIN, 0);
    add(&devices[device].out, waiting.data + waiting.start, waiting.end - waiting.start);
    free(waiting.data);
    touch(device);
}

/* Returns how many bytes of whole frames were taken. */
static size_t take_frames(int fd, const uint8_t *bytes, size_t length)
{
    size_t at = 0, done = 0;
    while (length - at >= HEAD_BYTES) {
        size_t body = load32(bytes + at) - 1;
        const uint8_t *frame = bytes + at + HEAD_BYTES;
        if (length - at < HEAD_BYTES + body)
            break;
        if (bytes[at + 4] == LOGIN)
            login(fd, load32(frame), bytes + done, at - done);
        else if (bytes[at + 4] == MESSAGE_TO && connections[fd].device < DEVICES_MAX)
            pass_on(connections[fd].device, frame, body);
        at += HEAD_BYTES + body;
        if (bytes[at - HEAD_BYTES - body + 4] != JOIN)
            done = at;
    }
    return done;
}

static void forget(int fd)
{
    struct connection *connection = &connections[fd];
    if (connection->device < DEVICES_MAX && devices[connection->device].connection == fd)
        devices[connection->device].connection = -1;
    free(connection->in.data);
    *connection = (struct connection){0};
    close(fd);
}

static void receive(int fd)
{
    struct buffer *in = &connections[fd].in;
    uint8_t *room = room_for(in, READ_BYTES);
    ssize_t count = recv(fd, room, READ_BYTES, 0);
    if (count == 0 || (count < 0 && errno != EAGAIN)) {
        forget(fd);
        return;
    }
    if (count < 0)
        return;
    in->end += (size_t)count;
    in->start += take_frames(fd, in->data + in->start, in->end - in->start);
    if (in->start == in->end) { /* an idle connection costs nothing */
        free(in->data);
        *in = (struct buffer){0};
    }
}

static void watch(int operation, int fd, uint32_t events)
{
    struct epoll_event event = {.events = events, .data.fd = fd};
    if (epoll_ctl(epoll_fd, operation, fd, &event))
        die("epoll");
}

static void transmit(struct device *device)
{
    struct buffer *out = &device->out;
    if (device->accepted) {
        uint8_t counter[8];
        store32(counter, (uint32_t)(device->accepted >> 32));
        store32(counter + 4, (uint32_t)device->accepted);
        add_head(out, ACCEPTED_THROUGH, sizeof counter);
        add(out, counter, sizeof counter);
        device->accepted = 0;
    }
    size_t length = out->end - out->start;
    if (device->connection < 0 || !length)
        return;
    ssize_t count = send(device->connection, out->data + out->start, length, MSG_NOSIGNAL);
    bool all = count == (ssize_t)length;
    out->start += count > 0 ? (size_t)count : 0;
    if (device->waits == all)
        watch(EPOLL_CTL_MOD, device->connection, EPOLLIN | (all ? 0 : EPOLLOUT));
    device->waits = !all;
    if (all) {
        free(out->data);
        *out = (struct buffer){0};
    }
}

static void end_batch(void)
{
    if (to_log.end > to_log.start) {
        ssize_t length = (ssize_t)(to_log.end - to_log.start);
        if (write(log_fd, to_log.data + to_log.start, (size_t)length) != length)
            die("log");
        if (fdatasync(log_fd))
            die("fdatasync");
        to_log.start = to_log.end = 0;
    }
    for (uint32_t i = 0; i < dirty_count; i++) {
        devices[dirty[i]].dirty = false;
        transmit(&devices[dirty[i]]);
    }
    dirty_count = 0;
}

static void welcome(int listener)
{
    int fd, on = 1;
    while ((fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC)) >= 0) {
        if (fd >= DEVICES_MAX)
            die("too many connections");
        setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
        connections[fd] = (struct connection){.open = true, .device = DEVICES_MAX};
        watch(EPOLL_CTL_ADD, fd, EPOLLIN);
    }
}

static int listen_at(uint16_t port)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(port)};
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    int listener = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0), on = 1;
    setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    if (bind(listener, (struct sockaddr *)&address, sizeof address) || listen(listener, 4096))
        die("listen");
    return listener;
}

/* relay PORT [LOG] */
int main(int count, char **arguments)
{
    prctl(PR_SET_PDEATHSIG, SIGKILL); /* never stay behind */
    if (count < 2)
        return 2;
    for (uint32_t i = 0; i < DEVICES_MAX; i++)
        devices[i].connection = -1;
    if (count > 2 && (log_fd = open(arguments[2], O_WRONLY | O_CREAT | O_APPEND, 0600)) < 0)
        die("log");
    epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    int listener = listen_at((uint16_t)atoi(arguments[1]));
    watch(EPOLL_CTL_ADD, listener, EPOLLIN);
    struct epoll_event events[EVENTS_MAX];
    for (;;) {
        int ready = epoll_wait(epoll_fd, events, EVENTS_MAX, -1);
        for (int i = 0; i < ready; i++) {
            int fd = events[i].data.fd;
            if (fd == listener)
                welcome(listener);
            else if (connections[fd].open && events[i].events & EPOLLOUT
                     && connections[fd].device < DEVICES_MAX)
                touch(connections[fd].device);
            if (fd != listener && connections[fd].open && events[i].events & ~EPOLLOUT)
                receive(fd);
        }
        end_batch();
    }
}
