/* Preloaded: the time of day is off by as many seconds as /tmp/clock says. What only runs on (CLOCK_MONOTONIC,
   CLOCK_BOOTTIME) stays right, as when NTP has lost a machine. libfaketime breaks Python's sleep when it does that. */
#define _GNU_SOURCE
#include <stdio.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

static long offset_secs(void) {
  long secs = 0;
  FILE *file = fopen("/tmp/clock", "r");
  if (file) {
    if (fscanf(file, "%ld", &secs) != 1) secs = 0;
    fclose(file);
  }
  return secs;
}

int clock_gettime(clockid_t clock, struct timespec *now) {
  int failed = syscall(SYS_clock_gettime, clock, now);
  if (!failed && (clock == CLOCK_REALTIME || clock == CLOCK_REALTIME_COARSE)) now->tv_sec += offset_secs();
  return failed;
}

int gettimeofday(struct timeval *now, void *zone) {
  struct timespec exact;
  (void)zone;
  if (clock_gettime(CLOCK_REALTIME, &exact)) return -1;
  now->tv_sec = exact.tv_sec;
  now->tv_usec = exact.tv_nsec / 1000;
  return 0;
}

time_t time(time_t *where) {
  struct timespec exact;
  clock_gettime(CLOCK_REALTIME, &exact);
  if (where) *where = exact.tv_sec;
  return exact.tv_sec;
}
