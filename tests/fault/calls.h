/* tests/fault/calls.h - the calls of the C library that the client's half makes, each of which may fail: the
 * linker puts calls.c between (--wrap). What util/fault.h counts in the code itself is counted as well. */
#ifndef FAULT_CALLS_H
#define FAULT_CALLS_H

/* From now on the calls of libcurl that need memory may fail. What libraries do on their own may not: libcurl
 * 7.88 divides by zero when there is no memory for a socket's entry, and jansson 2.14 drops a byte of a
 * string whose buffer can't grow. */
void calls_of_libcurl(void);

#endif
