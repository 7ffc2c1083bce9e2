/* The load generator: reads a plan, then obeys commands from its standard input, one a line.
   Each command is answered by one JSON line. It ends with its input, at `quit`, or at its deadline. */
#include "chores.h"
#include "dialect.h"
#include "judge.h"
#include "oracle.h"
#include "report.h"
#include "session.h"
#include "tls.h"
#include "traffic.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/timerfd.h>
#include <unistd.h>

#define EVENTS_MAX 512
#define QUIET_TIME (200 * MS) /* for what comes twice, or too late */
/* What epoll tells of descriptors that are no device's. */
#define COMMANDS UINT32_MAX
#define TIMER (UINT32_MAX - 1)
#define SIGNER (UINT32_MAX - 2)

static int epoll_fd, timer_fd;
static bool over;
/* What a command waits for before it is answered. */
static enum { NOTHING, LOGINS, BURSTS, QUIET } awaited;
static uint64_t quiet_until_ns, open_last_ns;

static void watch(int operation, int fd, uint32_t who, uint32_t what)
{
    struct epoll_event event = {.events = what, .data.u32 = who};
    if (epoll_ctl(epoll_fd, operation, fd, &event))
        die("epoll: %s", strerror(errno));
}

void session_watch(struct channel *channel)
{
    bool first = !channel->watched;
    if (!first && channel->watched_write == channel->wants_write
        && channel->watched_stalled == channel->stalled)
        return;
    channel->watched = true;
    channel->watched_write = channel->wants_write;
    channel->watched_stalled = channel->stalled;
    watch(first ? EPOLL_CTL_ADD : EPOLL_CTL_MOD, channel->fd, channel->device,
          (channel->stalled ? 0 : EPOLLIN) | (channel->wants_write ? EPOLLOUT : 0));
}

void session_unwatch(struct channel *channel)
{
    watch(EPOLL_CTL_DEL, channel->fd, channel->device, 0);
}

/* --- commands ------------------------------------------------------------------------------- */

static void obey_traffic(const char *name, const uint64_t *arguments, double rate)
{
    uint32_t first = (uint32_t)arguments[0], count = (uint32_t)arguments[1];
    if (!strcmp(name, "closed"))
        traffic_close(first, count);
    else if (!strcmp(name, "rate"))
        traffic_rate(MESSAGE, first, count, rate);
    else if (!strcmp(name, "registers"))
        traffic_rate(REGISTER_WRITE, first, count, rate);
    else if (!strcmp(name, "typing"))
        traffic_rate(TYPING, first, count, rate);
    else if (!strcmp(name, "reconnects"))
        traffic_rate(RECONNECT, first, count, rate);
    else if (!strcmp(name, "drop"))
        logins_drop(first, count);
    else if (!strcmp(name, "flood"))
        traffic_flood(first, count);
    else if (!strcmp(name, "stall") || !strcmp(name, "unstall"))
        for (uint32_t device = first; device < first + count; device++)
            session_stall(device, *name == 's');
    else
        die("an unknown command: %s", name);
    report_event(name);
}

static void obey(const char *line)
{
    char name[32] = "";
    uint64_t arguments[3] = {0};
    double rate = 0;
    sscanf(line, "%31s %lu %lu %lu", name, &arguments[0], &arguments[1], &arguments[2]);
    sscanf(line, "%*s %*u %*u %lf", &rate);
    uint32_t first = (uint32_t)arguments[0], count = (uint32_t)arguments[1];
    if (!strcmp(name, "window")) {
        report_window();
    } else if (!strcmp(name, "peek")) {
        report_peek();
    } else if (!strcmp(name, "verdict")) {
        report_verdict();
    } else if (!strcmp(name, "stop")) {
        traffic_stop();
        report_event(name);
    } else if (!strcmp(name, "quit")) {
        over = true;
    } else if (!strcmp(name, "connect")) {
        awaited = LOGINS;
        logins_start(first, count, (uint32_t)arguments[2]);
    } else if (!strcmp(name, "burst")) {
        awaited = BURSTS;
        traffic_burst(first, count, arguments[2]);
    } else if (!strcmp(name, "settle")) { /* argument: milliseconds at most */
        awaited = QUIET;
        quiet_until_ns = now_ns() + arguments[0] * MS;
    } else if (!strcmp(name, "since")) {
        since = arguments[0] > SINCE_NOW ? SINCE_OWN : (enum since)arguments[0];
        report_event(name);
    } else {
        obey_traffic(name, arguments, rate);
    }
}

static void read_commands(void)
{
    static struct buffer commands;
    uint8_t *room = buffer_room(&commands, 4096);
    ssize_t count = read(STDIN_FILENO, room, 4096);
    if (count == 0 || (count < 0 && errno != EAGAIN)) {
        over = true; /* whoever started us is gone */
        return;
    }
    commands.end += count > 0 ? (size_t)count : 0;
    uint8_t *end;
    while ((end = memchr(commands.data + commands.start, '\n', buffer_length(&commands)))) {
        *end = 0;
        char line[128];
        snprintf(line, sizeof line, "%s", (char *)commands.data + commands.start);
        buffer_take(&commands, (size_t)(end + 1 - (commands.data + commands.start)));
        obey(line);
        if (!buffer_length(&commands))
            break;
    }
}

static void answer_awaited(uint64_t now)
{
    if (oracle_open())
        open_last_ns = now;
    bool done = (awaited == LOGINS && logins_done()) || (awaited == BURSTS && traffic_burst_done())
        || (awaited == QUIET && (now >= quiet_until_ns || now - open_last_ns > QUIET_TIME));
    if (!done)
        return;
    const char *names[] = {"", "connect", "burst", "settle"};
    const char *name = names[awaited];
    awaited = NOTHING;
    report_event(name);
}

/* --- the loop ------------------------------------------------------------------------------- */

static void set_timer(void)
{
    uint64_t next = session_next_timer(), traffic = traffic_next_timer();
    if (traffic < next)
        next = traffic;
    if (awaited != NOTHING || next > now_ns() + 10 * MS)
        next = now_ns() + 10 * MS < next ? now_ns() + 10 * MS : next;
    struct itimerspec due = {
        .it_value = {.tv_sec = (time_t)(next / SECOND), .tv_nsec = (long)(next % SECOND)},
    };
    if (timerfd_settime(timer_fd, TFD_TIMER_ABSTIME, &due, NULL))
        die("timer: %s", strerror(errno));
}

static void serve_event(const struct epoll_event *event)
{
    uint64_t expirations;
    if (event->data.u32 == COMMANDS)
        read_commands();
    else if (event->data.u32 == SIGNER)
        session_signed();
    else if (event->data.u32 != TIMER)
        session_ready(event->data.u32);
    else if (read(timer_fd, &expirations, sizeof expirations) < 0 && errno != EAGAIN)
        die("timer: %s", strerror(errno));
}

static void run(void)
{
    struct epoll_event events[EVENTS_MAX];
    while (!over) {
        set_timer();
        int count = epoll_wait(epoll_fd, events, EVENTS_MAX, -1);
        if (count < 0 && errno != EINTR)
            die("epoll: %s", strerror(errno));
        for (int i = 0; i < count; i++)
            /* A device whose connection an earlier event of this round ended has no channel. */
            if (events[i].data.u32 >= SIGNER || devices[events[i].data.u32].channel)
                serve_event(&events[i]);
        uint64_t now = now_ns();
        logins_continue();
        session_timers(now);
        traffic_timers(now);
        session_flush();
        answer_awaited(now);
    }
}

/* --- starting ------------------------------------------------------------------------------- */

static void take_pin(const char *hex)
{
    for (size_t i = 0; i < sizeof target.pin; i++)
        if (sscanf(hex + 2 * i, "%2hhx", &target.pin[i]) != 1)
            die("the pin is not 64 hexadecimal digits");
    target.tls = true;
    if (!tls_available)
        die("built without OpenSSL: no TLS");
}

static const char *take_options(int count, char **arguments)
{
    static const struct option options[] = {
        {"plan", 1, NULL, 'p'},     {"address", 1, NULL, 'a'}, {"port", 1, NULL, 'o'},
        {"pin", 1, NULL, 't'},      {"deadline", 1, NULL, 'd'}, {"late-ms", 1, NULL, 'l'},
        {"signer", 1, NULL, 's'},   {"sources", 1, NULL, 'n'},
        {"dialect", 1, NULL, 'x'},  {"retries", 1, NULL, 'r'}, {NULL, 0, NULL, 0},
    };
    const char *plan = NULL;
    int option;
    target.address.sin_family = AF_INET;
    while ((option = getopt_long(count, arguments, "", options, NULL)) != -1) {
        switch (option) {
        case 'p': plan = optarg; break;
        case 'a':
            if (inet_pton(AF_INET, optarg, &target.address.sin_addr) != 1)
                die("not an IPv4 address: %s", optarg);
            break;
        case 'o': target.address.sin_port = htons((uint16_t)atoi(optarg)); break;
        case 't': take_pin(optarg); break;
        case 'd': alarm((unsigned)atoi(optarg)); break; /* SIGALRM ends the process */
        case 'l': late_ns = strtoull(optarg, NULL, 10) * MS; break;
        case 's': signer_fd = atoi(optarg); break;
        case 'n': target.sources = (uint32_t)atoi(optarg); break;
        case 'x': dialect_choose(optarg); break;
        case 'r': retries_max = (uint32_t)atoi(optarg); break;
        default: die("an unknown option");
        }
    }
    if (!plan || !target.address.sin_port)
        die("--plan, --address and --port are needed");
    return plan;
}

int main(int count, char **arguments)
{
    prctl(PR_SET_PDEATHSIG, SIGKILL); /* never stay behind */
    prctl(PR_SET_TIMERSLACK, 1000ul);
    signal(SIGPIPE, SIG_IGN);
    if (count == 2 && !strcmp(arguments[1], "--judge"))
        return judge_input();
    plan_read(take_options(count, arguments));
    for (uint32_t number = 0; number < flow_count; number++)
        dialect->prepare(number);
    if (signer_fd < 0 && !tls_available && dialect == &wxserve_dialect)
        die("built without OpenSSL: somebody must sign (--signer)");
    epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    timer_fd = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC);
    fcntl(STDIN_FILENO, F_SETFL, O_NONBLOCK);
    watch(EPOLL_CTL_ADD, STDIN_FILENO, COMMANDS, EPOLLIN);
    watch(EPOLL_CTL_ADD, timer_fd, TIMER, EPOLLIN);
    if (signer_fd >= 0)
        watch(EPOLL_CTL_ADD, signer_fd, SIGNER, EPOLLIN);
    report_event("ready");
    run();
    return 0;
}
