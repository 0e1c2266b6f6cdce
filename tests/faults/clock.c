/* Moves the wall clock of the processes it is preloaded into, by as many microseconds as the file $FAULTS_CLOCK holds
   now. Their other clocks go on as they were. */

#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

static volatile int64_t *shared;

__attribute__((constructor)) static void open_shared(void) {
  const char *path = getenv("FAULTS_CLOCK");
  int file = path ? open(path, O_RDONLY | O_CLOEXEC) : -1;
  if (file < 0) return;
  void *page = mmap(NULL, sizeof *shared, PROT_READ, MAP_SHARED, file, 0);
  if (page != MAP_FAILED) shared = page;
  close(file);
}

static void move(int64_t *seconds, int64_t *rest, int64_t per_second) {
  int64_t by = shared ? *shared : 0;
  *seconds += by / 1000000;
  *rest += by % 1000000 * (per_second / 1000000);
  if (*rest >= per_second) { *rest -= per_second; *seconds += 1; }
  if (*rest < 0) { *rest += per_second; *seconds -= 1; }
}

int clock_gettime(clockid_t which, struct timespec *now) {
  static int (*real)(clockid_t, struct timespec *);
  if (!real) real = (int (*)(clockid_t, struct timespec *))dlsym(RTLD_NEXT, "clock_gettime");
  int failed = real(which, now);
  if (failed || (which != CLOCK_REALTIME && which != CLOCK_REALTIME_COARSE)) return failed;
  int64_t seconds = now->tv_sec, rest = now->tv_nsec;
  move(&seconds, &rest, 1000000000);
  now->tv_sec = seconds;
  now->tv_nsec = rest;
  return 0;
}

int gettimeofday(struct timeval *restrict now, void *restrict zone) {
  static int (*real)(struct timeval *, void *);
  if (!real) real = (int (*)(struct timeval *, void *))dlsym(RTLD_NEXT, "gettimeofday");
  int failed = real(now, zone);
  if (failed) return failed;
  int64_t seconds = now->tv_sec, rest = now->tv_usec;
  move(&seconds, &rest, 1000000);
  now->tv_sec = seconds;
  now->tv_usec = rest;
  return 0;
}

time_t time(time_t *result) {
  struct timespec now;
  clock_gettime(CLOCK_REALTIME, &now);
  if (result) *result = now.tv_sec;
  return now.tv_sec;
}
