/* A hash table from 64-bit keys (never 0) to 32-bit values: open addressing, linear probing. */
#ifndef TABLE_H
#define TABLE_H

#include "base.h"

struct table {
    uint64_t *keys;
    uint32_t *values;
    uint32_t room, used; /* room is a power of two */
};

uint32_t table_find(const struct table *table, uint64_t key); /* NONE if it is not there */
void table_put(struct table *table, uint64_t key, uint32_t value); /* a new key */

#endif
