#include "report.h"

#include "oracle.h"
#include "session.h"
#include "traffic.h"

#include <stdio.h>
#include <string.h>

static struct counts counts_before;
static struct session_counts sessions_before;
static uint64_t time_before, cpu_before;

static void print_number(const char *name, uint64_t value)
{
    printf(", \"%s\": %llu", name, (unsigned long long)value);
}

static void print_times(const char *name, const struct histogram *times)
{
    printf(", \"%s\": {\"count\": %llu, \"p50_us\": %llu, \"p90_us\": %llu, \"p99_us\": %llu, "
           "\"p999_us\": %llu, \"max_us\": %llu, \"mean_us\": %.1f}",
           name, (unsigned long long)times->count,
           (unsigned long long)histogram_share(times, 0.5),
           (unsigned long long)histogram_share(times, 0.9),
           (unsigned long long)histogram_share(times, 0.99),
           (unsigned long long)histogram_share(times, 0.999),
           (unsigned long long)times->most_us,
           times->count ? (double)times->sum_us / (double)times->count : 0.0);
}

static void print_counts(const struct counts *before)
{
    print_number("sent", counts.sent - before->sent);
    print_number("accepted", counts.accepted - before->accepted);
    print_number("delivered", counts.delivered - before->delivered);
    print_number("completed", counts.completed - before->completed);
    print_number("duplicated", counts.duplicated - before->duplicated);
    print_number("reordered", counts.reordered - before->reordered);
    print_number("holes", counts.holes - before->holes);
    print_number("corrupted", counts.corrupted - before->corrupted);
    print_number("late", counts.late - before->late);
    print_number("redelivered", counts.redelivered - before->redelivered);
    print_number("refused", counts.refused - before->refused);
}

static void print_sessions(const struct session_counts *before)
{
    print_number("live", live_count);
    print_number("logins", session_counts.logins - before->logins);
    print_number("login_failures", session_counts.login_failures - before->login_failures);
    print_number("disconnects", session_counts.disconnects - before->disconnects);
    print_number("errors", session_counts.errors - before->errors);
    print_number("last_error", last_error);
    print_number("pages", session_counts.pages - before->pages);
    print_number("registers", session_counts.registers - before->registers);
    print_number("ephemerals", session_counts.ephemerals - before->ephemerals);
}

void report_window(void)
{
    uint64_t now = now_ns(), cpu = cpu_ns();
    printf("{\"event\": \"window\", \"wall_s\": %.6f, \"cpu_s\": %.6f",
           (double)(now - time_before) / (double)SECOND,
           (double)(cpu - cpu_before) / (double)SECOND);
    print_counts(&counts_before);
    print_sessions(&sessions_before);
    print_number("backlog", traffic_backlog());
    print_number("last_delivery_ns", last_delivery_ns);
    print_times("accept", &accept_times);
    print_times("deliver", &deliver_times);
    print_times("login", &login_times);
    print_times("current", &current_times);
    puts("}");
    fflush(stdout);
    counts_before = counts;
    sessions_before = session_counts;
    time_before = now;
    cpu_before = cpu;
    memset(&accept_times, 0, sizeof accept_times);
    memset(&deliver_times, 0, sizeof deliver_times);
    memset(&login_times, 0, sizeof login_times);
    memset(&current_times, 0, sizeof current_times);
}

void report_peek(void)
{
    printf("{\"event\": \"peek\"");
    print_number("completed", counts.completed);
    print_number("delivered", counts.delivered);
    print_number("live", live_count);
    print_number("backlog", traffic_backlog());
    puts("}");
    fflush(stdout);
}

void report_verdict(void)
{
    static const struct counts nothing;
    static const struct session_counts nobody;
    oracle_finish();
    printf("{\"event\": \"verdict\"");
    print_number("lost", counts.lost);
    print_number("unanswered", counts.unanswered);
    print_counts(&nothing);
    print_sessions(&nobody);
    puts("}");
    fflush(stdout);
}

void report_event(const char *name)
{
    printf("{\"event\": \"%s\", \"at_ns\": %llu}\n", name, (unsigned long long)now_ns());
    fflush(stdout);
}
