/* cli/interrupt.h - Ctrl-C, SIGTERM and SIGHUP while something goes up: the registry is told to forget what
 * it has of it, in a few seconds or not at all, and then the signal does what it always does. A second signal
 * does so at once. */
#ifndef CLI_INTERRUPT_H
#define CLI_INTERRUPT_H

#include <berth/client.h>

/* From here on the uploads of @client are cancelled first; NULL is fine. */
void interrupt_begin(berth_client *client);
/* Before the client is freed. Returns no more once a signal has come. */
void interrupt_end(void);
/* Before something is said of a failure: it may be one of ours. Likewise. */
void interrupt_wait(void);

#endif
