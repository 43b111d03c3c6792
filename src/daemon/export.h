/* daemon/export.h - `berth export REPOSITORY[:TAG|@DIGEST] DIR`: the folder that an OCI image layout is
 * written to, by the process that owns the data folder. */
#ifndef DAEMON_EXPORT_H
#define DAEMON_EXPORT_H

#include "daemon/admin.h"
#include "daemon/wiring.h"

/* Writes @what into the layout in the folder @path, which is made, or added to. */
int export_write(struct instance *in, berth_str what, const char *path, const struct admin_out *out,
                 berth_error *err);

#endif
