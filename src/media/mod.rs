//! Key media: the files ntpd reads, as typed values.
