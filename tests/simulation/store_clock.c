/* Preloaded into the store: its clocks stand still, and are set by the file named by STORE_CLOCK_FILE.  The file holds two
 * numbers of eight bytes: microseconds of the steady clock, and what is to be added to them for the time of day.  While the
 * first is 0 both clocks are the real ones.
 *
 * The numbers are taken over when the store reads a request, and at no other moment: so it never sees a clock move between
 * two looks, and whoever sets the clock before a request knows what that request sees.  Nothing of the kind would hold with
 * a clock that counts ticks of the processor, which the store takes where it can; it cannot where there is no cpuinfo. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

static volatile int64_t *page;
static int64_t steady_us, day_us;

static void take_over(void) {
    if (!page) {
        const char *name = getenv("STORE_CLOCK_FILE");
        int file = name ? open(name, O_RDONLY) : -1;
        void *mapped;
        if (file < 0) return;
        mapped = mmap(NULL, 2 * sizeof(int64_t), PROT_READ, MAP_SHARED, file, 0);
        close(file);
        if (mapped == MAP_FAILED) return;
        page = mapped;
    }
    steady_us = page[0];
    day_us = steady_us + page[1];
}

ssize_t read(int fd, void *buffer, size_t count) {
    ssize_t length = syscall(SYS_read, fd, buffer, count);
    take_over();
    return length;
}

ssize_t recv(int fd, void *buffer, size_t count, int flags) {
    ssize_t length = syscall(SYS_recvfrom, fd, buffer, count, flags, NULL, NULL);
    take_over();
    return length;
}

int clock_gettime(clockid_t which, struct timespec *time) {
    int64_t us = which == CLOCK_REALTIME ? day_us : which == CLOCK_MONOTONIC ? steady_us : 0;
    if (!us || !steady_us) return (int)syscall(SYS_clock_gettime, which, time);
    time->tv_sec = us / 1000000;
    time->tv_nsec = us % 1000000 * 1000;
    return 0;
}

int gettimeofday(struct timeval *restrict time, void *restrict zone) {
    struct timespec now;
    (void)zone;
    clock_gettime(CLOCK_REALTIME, &now);
    time->tv_sec = now.tv_sec;
    time->tv_usec = now.tv_nsec / 1000;
    return 0;
}

time_t time(time_t *where) {
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    if (where) *where = now.tv_sec;
    return now.tv_sec;
}

static FILE *open_unless_cpuinfo(const char *call, const char *path, const char *mode) {
    if (!strcmp(path, "/proc/cpuinfo")) return NULL;
    return ((FILE * (*)(const char *, const char *))dlsym(RTLD_NEXT, call))(path, mode);
}

FILE *fopen(const char *restrict path, const char *restrict mode) {
    return open_unless_cpuinfo("fopen", path, mode);
}

FILE *fopen64(const char *restrict path, const char *restrict mode) {
    return open_unless_cpuinfo("fopen64", path, mode);
}
