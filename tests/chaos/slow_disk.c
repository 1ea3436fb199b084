/* Preloaded into the store: makes every fsync as slow as the file named by SLOW_DISK_FILE says, in milliseconds, and
 * notes in the file named by WRITTEN_OUT_FILE how much of the store's log has been written out: "<name> <bytes>". */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static void wait_as_told(void) {
    const char *name = getenv("SLOW_DISK_FILE");
    FILE *file = name ? fopen(name, "r") : NULL;
    int ms = 0;
    if (!file) return;
    if (fscanf(file, "%d", &ms) == 1 && ms > 0) usleep((useconds_t)ms * 1000);
    fclose(file);
}

static void note(int fd, long long bytes) {
    const char *where = getenv("WRITTEN_OUT_FILE");
    char link[64], path[512], line[128];
    ssize_t length;
    const char *name;
    int notes;
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    if (!where || (length = readlink(link, path, sizeof path - 1)) < 0) return;
    path[length] = 0;
    name = strrchr(path, '/');
    if (!name || !strstr(name, ".incr.aof")) return;
    snprintf(line, sizeof line, "%-80s %20lld\n", name + 1, bytes);
    notes = open(where, O_WRONLY | O_CREAT, 0600);
    if (notes < 0) return;
    /* One write of one length: whoever reads it never sees half of it. */
    if (pwrite(notes, line, strlen(line), 0) < 0) perror(where);
    close(notes);
}

static int written_out(const char *call, int fd) {
    struct stat before;
    int known = fstat(fd, &before) == 0, failed;
    wait_as_told();
    failed = ((int (*)(int))dlsym(RTLD_NEXT, call))(fd);
    if (!failed && known) note(fd, (long long)before.st_size);
    return failed;
}

int fsync(int fd) {
    return written_out("fsync", fd);
}

int fdatasync(int fd) {
    return written_out("fdatasync", fd);
}
