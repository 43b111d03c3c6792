/* cli/document.h - documents made of the commands' rows: manual pages and docs/commands.md. */
#ifndef CLI_DOCUMENT_H
#define CLI_DOCUMENT_H

#include "cli/command.h"

#define DOCUMENT_DATE "November 25, 2026" /* of manual pages; no clock, so that a build can be repeated */

/* Prints the page of a command that stands alone, or of a family; "berth": the overview. false: there is
 * none. */
bool document_man(const char *name);
void document_overview(void);
void document_man_exits(void); /* the section on exit codes */

/* Prints docs/commands.md. */
void document_markdown(void);

/* --- what both are made of --- */

/* The @i-th option that is told of with its command: not shared, nor --help, which all have. NULL: no more.
 */
const struct cli_option *document_own_option(const struct cli_command *c, size_t i);

/* The @i-th command of the page @name; NULL: no more. */
const struct cli_command *document_member(const char *name, size_t i);

/* What the page is about: the summary of the command or family. */
const char *document_summary(const char *name);

/* Whether it has a page of its own: `version` and `help` are in the overview alone. */
bool document_has_page(const char *name);

/* The pages in their order; NULL: no more. */
const char *document_page(size_t i);

/* A variable of the environment, or a file, that commands on a registry look at. */
struct document_row {
    const char *name, *meaning;
};
extern const struct document_row document_files[]; /* a name of NULL ends them */

/* The @i-th variable; false: no more. */
bool document_variable(size_t i, struct document_row *ret);

#endif
