#include "plan.h"

#include "table.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct device *devices;
struct conversation *conversations;
struct flow *flows;
uint32_t device_count, conversation_count, flow_count;
uint64_t run_nonce;

static uint32_t conversation_room;
static struct table device_table, conversation_table;

/* Identifiers are random or hashes, so their first eight bytes are a hash already. */
static uint64_t key_of(const uint8_t *id)
{
    return load64(id) | 1; /* zero marks an empty slot */
}

uint32_t device_index(const uint8_t *id)
{
    return table_find(&device_table, key_of(id));
}

uint32_t conversation_index(const uint8_t *id)
{
    uint32_t index = table_find(&conversation_table, key_of(id));
    if (index != NONE && memcmp(conversations[index].id, id, ID_BYTES))
        die("two conversations share their first bytes");
    return index;
}

uint32_t conversation_added(const uint8_t *id)
{
    uint32_t index = conversation_index(id);
    if (index != NONE)
        return index;
    if (conversation_count == conversation_room) {
        conversation_room = conversation_room ? 2 * conversation_room : 1024;
        conversations = grow(conversations, conversation_room * sizeof *conversations);
    }
    index = conversation_count++;
    conversations[index] = (struct conversation){0};
    memcpy(conversations[index].id, id, ID_BYTES);
    table_put(&conversation_table, key_of(id), index);
    return index;
}

bool is_member(const struct conversation *conversation, uint32_t device)
{
    for (uint32_t i = 0; i < conversation->member_count; i++)
        if (conversation->members[i] == device)
            return true;
    return false;
}

/* --- the file ------------------------------------------------------------------------------- */

static void take(FILE *file, void *into, size_t bytes)
{
    if (bytes && fread(into, bytes, 1, file) != 1)
        die("the plan ends too early");
}

static uint32_t take32(FILE *file)
{
    uint8_t bytes[4];
    take(file, bytes, sizeof bytes);
    return load32(bytes);
}

static uint64_t take64(FILE *file)
{
    uint8_t bytes[8];
    take(file, bytes, sizeof bytes);
    return load64(bytes);
}

/* A count and so many indices below `limit`. */
static uint32_t *take_indices(FILE *file, uint32_t *count, uint32_t limit)
{
    *count = take32(file);
    uint32_t *indices = make(*count, sizeof *indices);
    for (uint32_t i = 0; i < *count; i++)
        if ((indices[i] = take32(file)) >= limit)
            die("the plan names something it does not have");
    return indices;
}

static void take_device(FILE *file, struct device *device)
{
    take(file, device->account, ID_BYTES);
    take(file, device->id, DEVICE_BYTES);
    take(file, device->key, KEY_BYTES);
    device->position = take64(file);
    if (device_index(device->id) != NONE)
        die("the plan has a device twice");
    table_put(&device_table, key_of(device->id), (uint32_t)(device - devices));
}

static void take_conversation(FILE *file)
{
    uint8_t id[ID_BYTES];
    take(file, id, ID_BYTES);
    uint32_t index = conversation_added(id); /* may move all conversations */
    struct conversation *conversation = &conversations[index];
    conversation->members = take_indices(file, &conversation->member_count, device_count);
    for (uint32_t i = 0; i < conversation->member_count; i++) {
        struct device *device = &devices[conversation->members[i]];
        size_t bytes = (device->conversation_count + 1) * sizeof *device->conversations;
        device->conversations = grow(device->conversations, bytes);
        device->conversations[device->conversation_count++] = index;
    }
}

static void take_flow(FILE *file, struct flow *flow)
{
    flow->device = take32(file);
    flow->window = take32(file);
    flow->body_bytes = take32(file);
    flow->conversations = take_indices(file, &flow->conversation_count, conversation_count);
    if (flow->device >= device_count || !flow->conversation_count
        || flow->body_bytes < BODY_BYTES_MIN)
        die("a flow of the plan cannot be");
}

void plan_read(const char *path)
{
    FILE *file = fopen(path, "rb");
    char magic[8];
    if (!file)
        die("cannot open the plan");
    take(file, magic, sizeof magic);
    if (memcmp(magic, "WXBPLAN1", sizeof magic))
        die("not a plan");
    run_nonce = take64(file);
    device_count = take32(file);
    uint32_t conversations_planned = take32(file);
    flow_count = take32(file);
    devices = make(device_count, sizeof *devices);
    flows = make(flow_count, sizeof *flows);
    for (uint32_t i = 0; i < device_count; i++)
        take_device(file, &devices[i]);
    for (uint32_t i = 0; i < conversations_planned; i++)
        take_conversation(file);
    for (uint32_t i = 0; i < flow_count; i++)
        take_flow(file, &flows[i]);
    fclose(file);
}
