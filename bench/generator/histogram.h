/* Times in a histogram of constant relative width: every count within 1.6 % of its value. */
#ifndef HISTOGRAM_H
#define HISTOGRAM_H

#include "base.h"

#define HISTOGRAM_STEPS 64 /* per power of two */
#define HISTOGRAM_SLOTS (HISTOGRAM_STEPS * 32)

struct histogram {
    uint64_t slots[HISTOGRAM_SLOTS];
    uint64_t count, sum_us, most_us;
};

void histogram_add(struct histogram *histogram, uint64_t ns);
/* The time in microseconds below which the given share of all counts lies; 0 if there are none. */
uint64_t histogram_share(const struct histogram *histogram, double share);

#endif
