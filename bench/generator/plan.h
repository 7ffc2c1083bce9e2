/* What takes part in a run: devices, conversations, flows of messages. Written by bench/plan.py. */
#ifndef PLAN_H
#define PLAN_H

#include "base.h"
#include "wire.h"

struct standing;
struct channel;

/* One operation that is not over: unanswered, or not yet delivered to everybody it should reach. */
struct record {
    uint64_t due_ns; /* when it was, or by the schedule should have been, sent */
    uint64_t seq;    /* 0 until known */
    uint32_t conversation, flow, awaiting;
    bool answered, refused;
};

/* The operations `tail` … `head - 1` of a device; `floor` is the lowest unanswered one. */
struct operations {
    struct record *slots;
    uint32_t room; /* a power of two */
    uint64_t tail, floor, head;
};

enum phase { OFF, CONNECTING, GREETING, ENTERING, SYNCING, LIVE };

struct device {
    uint8_t account[ID_BYTES], id[DEVICE_BYTES], key[KEY_BYTES];
    struct channel *channel;
    enum phase phase;
    uint8_t nonce[32];    /* of its HELLO */
    uint32_t session;     /* how many times it has connected */
    uint64_t position;    /* of the last SYNCED: where to resume */
    uint64_t started_ns;  /* when it began to connect */
    uint64_t spoke_ns;    /* when it last sent anything */
    struct operations operations;
    uint64_t floor_told;  /* ops_done_below of the last ACK */
    uint32_t credit_bytes, credit_entries;         /* the whole window, from WELCOME */
    uint32_t used_bytes, used_entries;             /* of it, since the last CREDIT */
    uint16_t heartbeat_max_s;
    struct standing **unacked;
    uint32_t unacked_count, unacked_room, unacked_entries;
    uint64_t ack_due_ns;  /* 0: nothing to acknowledge */
    uint64_t retry_ns;    /* 0: nothing to send again */
    uint32_t refused_waiting;
    uint32_t *conversations; /* of the plan, in which it is a member */
    uint32_t conversation_count;
};

struct conversation {
    uint8_t id[ID_BYTES];
    uint32_t *members; /* devices */
    uint32_t member_count;
    uint64_t head;     /* the highest sequence number seen accepted */
};

enum pace { IDLE, CLOSED, OPEN, BURST };

/* One device that writes to its conversations in turn. */
struct flow {
    uint32_t device, window, body_bytes, conversation_count;
    uint32_t *conversations;
    struct template template;
    enum pace pace;
    uint32_t in_flight, turn;
    uint64_t quota; /* BURST: how many are still to be sent */
};

extern struct device *devices;
extern struct conversation *conversations;
extern struct flow *flows;
extern uint32_t device_count, conversation_count, flow_count;
extern uint64_t run_nonce; /* tells this run's messages from those of earlier ones */

void plan_read(const char *path);
/* The index of a device or conversation, NONE if the plan does not have it. */
uint32_t device_index(const uint8_t *id);
uint32_t conversation_index(const uint8_t *id);
/* The same, adding a conversation that the plan does not know (notices, other groups). */
uint32_t conversation_added(const uint8_t *id);
bool is_member(const struct conversation *conversation, uint32_t device);

#endif
