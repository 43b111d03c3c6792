/* cli/interrupt.c - see interrupt.h. The handler of a signal may hardly do anything, and its thread may be
 * anywhere: so it wakes another one. */
#include "cli/interrupt.h"

#include <pthread.h>
#include <semaphore.h>
#include <signal.h>
#include <stddef.h>
#include <unistd.h>

#include "cli/target.h"

#define LATE_S 5 /* who drives the client may stand in a read() of a pipe */

static sem_t wake;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static berth_client *uploads_of; /* lock */
static volatile sig_atomic_t armed, came;

/* In the handler. */
static bool take(int number)
{
    if (!armed)
        return false;
    armed = 0;
    came = number;
    sem_post(&wake);
    return true;
}

static void on_late(int unused)
{
    (void)unused;
    raise(came);
}

/* Keeps the lock: who wants to end or to speak waits until the signal, which is let through now, ends us. */
static void *cancel(void *unused)
{
    while (sem_wait(&wake) < 0)
        ;
    pthread_mutex_lock(&lock);
    alarm(LATE_S);
    if (uploads_of)
        berth_client_cancel(uploads_of);
    kill(getpid(), came);
    for (;;)
        pause();
    return unused;
}

static bool start(void)
{
    static bool started;
    sigset_t all, was;
    pthread_t thread;
    if (started)
        return true;
    sigfillset(&all);
    if (sem_init(&wake, 0, 0) < 0)
        return false;
    pthread_sigmask(SIG_SETMASK, &all, &was); /* no signal comes there */
    started = pthread_create(&thread, NULL, cancel, NULL) == 0;
    pthread_sigmask(SIG_SETMASK, &was, NULL);
    if (started)
        pthread_detach(thread);
    return started;
}

void interrupt_begin(berth_client *client)
{
    if (!client || !start())
        return;
    pthread_mutex_lock(&lock);
    uploads_of = client;
    pthread_mutex_unlock(&lock);
    signal(SIGALRM, on_late);
    target_signal_first(take);
    target_catch_signals();
    armed = 1;
}

void interrupt_wait(void)
{
    pthread_mutex_lock(&lock);
    pthread_mutex_unlock(&lock);
}

void interrupt_end(void)
{
    armed = 0;
    pthread_mutex_lock(&lock);
    uploads_of = NULL;
    pthread_mutex_unlock(&lock);
}
