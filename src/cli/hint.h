/* cli/hint.h - what a person can do about an error of a command on a registry. */
#ifndef CLI_HINT_H
#define CLI_HINT_H

#include "cli/command.h"

/* To be put behind "try: "; NULL: nothing that we know of. */
const char *hint_for(const struct cli_command *c, const berth_error *err);

#endif
