/* util/mask.h - text that people type may have a name and a password before a host, where none belongs or in
 * a form that can't be read. No message repeats them. Pure. */
#ifndef UTIL_MASK_H
#define UTIL_MASK_H

#include "util/buf.h"

#define MASK_TEXT "***"

/* What stands before a host in @s, with its '@': "u:p@" in "http://u:p@host/v2/" and in "u:p@host"; all up to
 * the last '@' where that is not encoded. The '@' of a digest is none. Empty: there is nothing to hide. */
berth_str mask_find(berth_str s);

/* Appends @s with "***@" in its place. */
void mask_add(berth_buf *out, berth_str s);

#endif
