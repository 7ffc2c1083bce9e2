#include "table.h"

#include <stdlib.h>

static uint32_t slot_of(const struct table *table, uint64_t key)
{
    /* Fibonacci hashing: the upper bits of the product depend on all bits of the key. */
    return (uint32_t)((key * 0x9e3779b97f4a7c15ull) >> 32) & (table->room - 1);
}

uint32_t table_find(const struct table *table, uint64_t key)
{
    if (!table->room)
        return NONE;
    for (uint32_t slot = slot_of(table, key);; slot = (slot + 1) & (table->room - 1)) {
        if (table->keys[slot] == key)
            return table->values[slot];
        if (!table->keys[slot])
            return NONE;
    }
}

static void widen(struct table *table)
{
    struct table wider = {.room = table->room ? 2 * table->room : 1024};
    wider.keys = make(wider.room, sizeof *wider.keys);
    wider.values = make(wider.room, sizeof *wider.values);
    for (uint32_t slot = 0; slot < table->room; slot++)
        if (table->keys[slot])
            table_put(&wider, table->keys[slot], table->values[slot]);
    free(table->keys);
    free(table->values);
    *table = wider;
}

void table_put(struct table *table, uint64_t key, uint32_t value)
{
    if (2 * (table->used + 1) > table->room)
        widen(table);
    uint32_t slot = slot_of(table, key);
    while (table->keys[slot])
        slot = (slot + 1) & (table->room - 1);
    table->keys[slot] = key;
    table->values[slot] = value;
    table->used++;
}
