/* cli/prompt.h - user names and passwords from a person or from standard input. */
#ifndef CLI_PROMPT_H
#define CLI_PROMPT_H

#include "util/base.h"

/* One line from the terminal that this process belongs to, which shows what is typed if @echoes. False: said
 * why there is none. *@ret is the caller's. */
bool prompt_line(const char *command, const char *question, bool echoes, char **ret);

/* All of standard input, without its last newlines. False: said why not. */
bool prompt_read_all(const char *command, char **ret);

#endif
