/* util/clock.h - the times berth works with, in milliseconds. */
#ifndef UTIL_CLOCK_H
#define UTIL_CLOCK_H

#include <stdint.h>

int64_t clock_wall_ms(void); /* since the epoch; what the database stores */
int64_t clock_mono_ms(void); /* monotonic; for deadlines */
int64_t clock_mono_us(void); /* for latencies */
int64_t clock_boot_ms(void); /* monotonic, counts suspended time: the collector compares it with the wall */

/* "2026-11-21T08:38:09.123Z" into @out, which holds at least 25 bytes. */
void clock_format(int64_t wall_ms, char out[25]);

#endif
