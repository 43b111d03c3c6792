/* cli/document_overview.c - berth(1): what all commands have in common, and the list of them. */
#include <stdio.h>

#include "cli/document.h"

static const char before_commands[] = ".Dt BERTH 1\n"
                                      ".Os\n"
                                      ".Sh NAME\n"
                                      ".Nm berth\n"
                                      ".Nd an OCI registry and client in one small program\n"
                                      ".Sh SYNOPSIS\n"
                                      ".Nm\n"
                                      ".Ar command\n"
                                      ".Op Ar option ...\n"
                                      ".Sh DESCRIPTION\n"
                                      ".Nm\n"
                                      "keeps container images and other artifacts in a folder, and serves "
                                      "them by the OCI Distribution Specification.\n"
                                      "It needs no other process.\n"
                                      ".Pp\n"
                                      "The commands are:\n"
                                      ".Bl -tag -width read-only\n";

static const char behind_commands[] =
    ".El\n"
    ".Pp\n"
    "Every command explains itself with\n"
    ".Fl -help .\n"
    ".Xr berth-format 7\n"
    "has the templates of\n"
    ".Fl -format .\n"
    ".Pp\n"
    ".Cm gc ,\n"
    ".Cm check ,\n"
    ".Cm import ,\n"
    ".Cm export ,\n"
    ".Cm backup ,\n"
    ".Cm restore ,\n"
    ".Cm read-only\n"
    "and\n"
    ".Cm reload\n"
    "speak to the server that owns the data folder, through the socket\n"
    ".Pa control.sock\n"
    "in it.\n"
    "When none runs, the first six open the folder themselves, and the last two end with exit code 4.\n"
    ".Pp\n"
    "Settings come from a file, the environment and flags, in this order; the last one counts.\n"
    ".Xr berth.yaml 5\n"
    "says how.\n"
    ".Sh ENVIRONMENT\n"
    ".Bl -tag -width BERTH_CONFIG\n"
    ".It Ev BERTH_CONFIG\n"
    "The configuration file, where\n"
    ".Fl -config\n"
    "is not given.\n"
    ".It Ev BERTH_*\n"
    "Settings: the name in capitals, with\n"
    ".Ql _\n"
    "for each dot.\n"
    ".Ev BERTH_HTTP_PREFIX\n"
    "is\n"
    ".Ic http.prefix .\n"
    ".El\n"
    ".Sh FILES\n"
    "Below the data folder:\n"
    ".Pp\n"
    ".Bl -tag -width control.sock -compact\n"
    ".It Pa lock\n"
    "held by the process that owns the folder\n"
    ".It Pa format\n"
    "the format of the folder\n"
    ".It Pa berth.db\n"
    "the database\n"
    ".It Pa objects/\n"
    "the content\n"
    ".It Pa control.sock\n"
    "commands for the running server\n"
    ".El\n";

static const char examples[] = ".Sh EXAMPLES\n"
                               "Serve on localhost:5000, from\n"
                               ".Pa ./data :\n"
                               ".Pp\n"
                               ".Dl $ berth serve\n";

/* The summary as a sentence. */
static void print_command(const char *page)
{
    const char *summary = document_summary(page);
    bool own_page = document_has_page(page);
    printf(".It Cm %s\n%c%s%s\n", page, summary[0] & ~0x20, summary + 1, own_page ? "; see" : ".");
    if (own_page)
        printf(".Xr berth-%s 1 .\n", page);
}

/* The next page in the alphabet's order, as mdoc(7) wants references; NULL: no more. */
static const char *page_behind(const char *last)
{
    const char *next = NULL, *page;
    for (size_t i = 0; (page = document_page(i)); i++)
        if (document_has_page(page) && strcmp(page, last) > 0 && (!next || strcmp(page, next) < 0))
            next = page;
    return next;
}

void document_overview(void)
{
    const char *page;
    printf(".Dd " DOCUMENT_DATE "\n%s", before_commands);
    for (size_t i = 0; (page = document_page(i)); i++)
        print_command(page);
    printf("%s", behind_commands);
    document_man_exits();
    printf("%s.Sh SEE ALSO\n", examples);
    for (const char *last = ""; (page = page_behind(last)); last = page)
        printf(".Xr berth-%s 1 ,\n", page);
    printf(".Xr berth.yaml 5 ,\n.Xr berth-format 7\n");
}
