$! Run it from a privileged account (SYSPRV, and what starting and stopping NTP takes):
$!
$!   $ @INSTALL_NTPKEYS             on a system without NTP configuration
$!   $ @INSTALL_NTPKEYS REPLACE     replaces the configuration that is there
$!
$! What it replaces is kept, with _OLD after its name. Running it again is safe.
$!
$ SAY = "WRITE SYS$OUTPUT"
$ STYLE = F$GETJPI("", "PARSE_STYLE_PERM")
$ MISSING = 0
$ GUARDED = 0
$ STOPPED = 0
$ STATUS = 1
$ ON WARNING THEN GOTO FAILED
$ ON CONTROL_Y THEN GOTO FAILED
$! Names keep their case, and may hold more than one dot.
$ SET PROCESS/PARSE_STYLE=EXTENDED
$ PROCEDURE = F$ENVIRONMENT("PROCEDURE")
$ HERE = F$PARSE(PROCEDURE,,, "DEVICE") + F$PARSE(PROCEDURE,,, "DIRECTORY")
