#include "oracle.h"

#include "table.h"

#include <stdlib.h>
#include <string.h>

struct counts counts;
struct histogram accept_times, deliver_times;
uint64_t late_ns = 5 * SECOND, last_delivery_ns;

static struct table standing_table;
static struct standing **standings;
static uint32_t standing_count, standing_room;
static uint64_t given_up; /* operations refused for good */

/* --- what a device has of a conversation ---------------------------------------------------- */

struct standing *standing_of(uint32_t device, uint32_t conversation)
{
    uint64_t key = ((uint64_t)device << 32 | conversation) + 1;
    uint32_t index = table_find(&standing_table, key);
    if (index == NONE) {
        if (standing_count == standing_room) {
            standing_room = standing_room ? 2 * standing_room : 1024;
            standings = grow(standings, standing_room * sizeof *standings);
        }
        index = standing_count++;
        standings[index] = make(1, sizeof **standings);
        standings[index]->device = device;
        standings[index]->conversation = conversation;
        table_put(&standing_table, key, index);
    }
    struct standing *standing = standings[index];
    if (standing->session != devices[device].session) {
        standing->session = devices[device].session;
        standing->known = standing->unacked = false;
        standing->missing = 0;
    }
    return standing;
}

void oracle_session(uint32_t device)
{
    devices[device].session++;
}

/* Note that the numbers between `run` and `seq` were left out. */
static void leave_out(struct standing *standing, uint64_t seq)
{
    uint64_t gap = seq - standing->run - 1;
    counts.holes += gap;
    if (gap >= 64)
        standing->missing = ~0ull;
    else
        standing->missing = (standing->missing << 1) << gap | ((1ull << gap) - 1);
    standing->run = seq;
}

bool oracle_entry(struct standing *standing, uint64_t seq)
{
    if (!standing->known) {
        /* The first of a session: the server starts at its stored cursor, never beyond ours. */
        standing->known = true;
        standing->run = standing->received && seq > standing->received ? standing->received
                                                                       : seq - 1;
    }
    if (seq == standing->run + 1) {
        standing->run = seq;
        standing->missing <<= 1;
    } else if (seq > standing->run) {
        leave_out(standing, seq);
    } else {
        uint64_t back = standing->run - 1 - seq;
        bool was_missing = seq < standing->run && back < 64 && standing->missing >> back & 1;
        if (!was_missing) {
            counts.duplicated++;
            return false;
        }
        standing->missing &= ~(1ull << back);
        counts.holes--;
        counts.reordered++;
        return true;
    }
    if (seq <= standing->received) {
        counts.redelivered++;
        return false;
    }
    standing->received = seq;
    return true;
}

void oracle_skip(struct standing *standing, uint64_t seq)
{
    standing->known = true;
    if (seq > standing->run)
        standing->run = seq;
    if (seq > standing->received)
        standing->received = seq;
    standing->missing = 0;
}

/* --- operations ----------------------------------------------------------------------------- */

struct record *record_of(uint32_t device, uint64_t counter)
{
    struct operations *operations = &devices[device].operations;
    if (counter < operations->tail || counter >= operations->head)
        return NULL;
    return &operations->slots[counter & (operations->room - 1)];
}

static void widen(struct operations *operations)
{
    uint32_t room = operations->room ? 2 * operations->room : 64;
    struct record *slots = make(room, sizeof *slots);
    for (uint64_t counter = operations->tail; counter < operations->head; counter++)
        slots[counter & (room - 1)] = operations->slots[counter & (operations->room - 1)];
    free(operations->slots);
    operations->slots = slots;
    operations->room = room;
}

uint64_t oracle_sent(uint32_t flow, uint32_t conversation, uint64_t due_ns)
{
    uint32_t device = flows[flow].device;
    struct operations *operations = &devices[device].operations;
    if (operations->head - operations->tail >= operations->room)
        widen(operations);
    uint32_t members = conversations[conversation].member_count;
    bool own = is_member(&conversations[conversation], device);
    operations->slots[operations->head & (operations->room - 1)] = (struct record){
        .due_ns = due_ns,
        .conversation = conversation,
        .flow = flow,
        .awaiting = members - own,
    };
    counts.sent++;
    return operations->head++;
}

/* Forget the oldest operations that are over. */
static void advance(struct operations *operations)
{
    uint32_t mask = operations->room - 1;
    while (operations->floor < operations->head
           && operations->slots[operations->floor & mask].answered)
        operations->floor++;
    while (operations->tail < operations->floor
           && !operations->slots[operations->tail & mask].awaiting)
        operations->tail++;
}

static enum outcome outcome_of(uint32_t device, struct record *record)
{
    if (!record->answered || record->awaiting)
        return OPEN_STILL;
    counts.completed++;
    advance(&devices[device].operations);
    return OVER;
}

static void note_time(struct histogram *histogram, uint64_t due_ns)
{
    uint64_t taken = now_ns() - due_ns;
    histogram_add(histogram, taken);
    counts.late += taken > late_ns;
}

/* The place an operation was given must stay the same, whoever tells it. */
static bool is_placed(struct record *record, struct entry entry)
{
    if (record->conversation != entry.conversation || (record->seq && record->seq != entry.seq)) {
        counts.corrupted++;
        return false;
    }
    record->seq = entry.seq;
    return true;
}

enum outcome oracle_accepted(uint32_t device, struct entry entry, bool current, uint32_t *flow)
{
    struct record *record = record_of(device, entry.counter);
    if (!record || record->answered) {
        counts.duplicated++;
        return NOT_OURS;
    }
    if (!is_placed(record, entry))
        return NOT_OURS;
    struct standing *standing = standing_of(device, entry.conversation);
    if ((entry.counter > standing->own_counter) != (entry.seq > standing->own_seq))
        counts.reordered++;
    if (entry.counter > standing->own_counter) {
        standing->own_counter = entry.counter;
        standing->own_seq = entry.seq;
    }
    if (current)
        oracle_entry(standing, entry.seq);
    if (entry.seq > conversations[entry.conversation].head)
        conversations[entry.conversation].head = entry.seq;
    record->answered = true;
    *flow = record->flow;
    counts.accepted++;
    note_time(&accept_times, record->due_ns);
    advance(&devices[device].operations);
    return outcome_of(device, record);
}

enum outcome oracle_delivered(uint32_t device, struct entry entry, uint32_t origin,
                              uint32_t *flow)
{
    if (!oracle_entry(standing_of(device, entry.conversation), entry.seq))
        return NOT_OURS;
    counts.delivered++;
    last_delivery_ns = now_ns();
    struct record *record = record_of(origin, entry.counter);
    if (!record) {
        counts.duplicated++; /* a new number for an operation that everybody has already */
        return NOT_OURS;
    }
    if (!is_placed(record, entry) || origin == device || !record->awaiting)
        return NOT_OURS;
    record->awaiting--;
    *flow = record->flow;
    note_time(&deliver_times, record->due_ns);
    return outcome_of(origin, record);
}

void oracle_refused(uint32_t device, uint64_t counter)
{
    struct record *record = record_of(device, counter);
    if (!record || record->answered)
        return;
    record->answered = true;
    record->awaiting = 0;
    given_up++;
    advance(&devices[device].operations);
}

/* --- the end -------------------------------------------------------------------------------- */

uint64_t oracle_open(void)
{
    return counts.sent - counts.completed - given_up;
}

/* Count what never came: per message and missing reader, and per unanswered operation. */
void oracle_finish(void)
{
    for (uint32_t device = 0; device < device_count; device++) {
        struct operations *operations = &devices[device].operations;
        for (uint64_t counter = operations->tail; counter < operations->head; counter++) {
            struct record *record = record_of(device, counter);
            counts.lost += record->answered ? record->awaiting : 1;
            counts.unanswered += !record->answered;
        }
    }
    for (uint32_t i = 0; i < standing_count; i++) {
        struct standing *standing = standings[i];
        uint64_t head = conversations[standing->conversation].head;
        bool own = standing->own_seq > standing->received;
        if (own && devices[standing->device].phase == LIVE)
            counts.holes += head - standing->received; /* its own entries never came back */
    }
}
