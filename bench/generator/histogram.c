#include "histogram.h"

/* Slots 0 … 127 hold 1 us each; above that each power of two has 64 slots. */
static unsigned slot_of(uint64_t us)
{
    if (us < 2 * HISTOGRAM_STEPS)
        return (unsigned)us;
    unsigned shift = 63u - (unsigned)__builtin_clzll(us) - 6;
    unsigned slot = HISTOGRAM_STEPS * shift + (unsigned)(us >> shift);
    return slot < HISTOGRAM_SLOTS ? slot : HISTOGRAM_SLOTS - 1;
}

static uint64_t upper_edge(unsigned slot)
{
    if (slot < 2 * HISTOGRAM_STEPS)
        return slot;
    unsigned shift = slot / HISTOGRAM_STEPS - 1;
    uint64_t step = slot - HISTOGRAM_STEPS * shift;
    return ((step + 1) << shift) - 1;
}

void histogram_add(struct histogram *histogram, uint64_t ns)
{
    uint64_t us = ns / US;
    histogram->slots[slot_of(us)]++;
    histogram->count++;
    histogram->sum_us += us;
    if (us > histogram->most_us)
        histogram->most_us = us;
}

uint64_t histogram_share(const struct histogram *histogram, double share)
{
    uint64_t wanted = (uint64_t)(share * (double)histogram->count);
    uint64_t seen = 0;
    for (unsigned slot = 0; slot < HISTOGRAM_SLOTS; slot++) {
        seen += histogram->slots[slot];
        if (seen > wanted || (seen && seen == histogram->count)) {
            uint64_t edge = upper_edge(slot);
            return edge < histogram->most_us ? edge : histogram->most_us;
        }
    }
    return 0;
}
