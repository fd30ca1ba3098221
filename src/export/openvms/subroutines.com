$!
$ @SYS$STARTUP:TCPIP$NTP_STARTUP
$ SAY "Installed, and NTP is started. Delete the bundle here: it holds private keys."
$ GOTO DONE
$!
$! Counts a file of the bundle that is not there; stops if it is the installed file itself.
$CHECK:
$ IF F$SEARCH(HERE + NAME) .EQS. "" THEN GOTO CHECK_MISSING
$ IF F$SEARCH(TO + ";") .EQS. "" THEN RETURN
$ IF F$FILE_ATTRIBUTES(TO, "FID") .EQS. F$FILE_ATTRIBUTES(HERE + NAME, "FID") THEN GOTO IN_PLACE
$ RETURN
$CHECK_MISSING:
$ SAY "Missing: ''HERE'''NAME'"
$ MISSING = MISSING + 1
$ RETURN
$!
$! Counts a configuration file that is there, unless it is to be replaced.
$GUARD:
$ IF F$EDIT(P1, "TRIM,UPCASE") .EQS. "REPLACE" THEN RETURN
$ IF F$SEARCH(TO) .EQS. "" THEN RETURN
$ SAY "There already: ''TO'"
$ GUARDED = GUARDED + 1
$ RETURN
$!
$! Puts NAME of the bundle at TO, readable for the daemon alone or for everybody.
$PLACE_PRIVATE:
$ GOSUB SET_ASIDE
$ COPY/PROTECTION=(SYSTEM:RWD,OWNER:RWD,GROUP,WORLD) 'HERE''NAME' 'TO'
$ GOTO PLACE_OWNER
$PLACE_PUBLIC:
$ GOSUB SET_ASIDE
$ COPY/PROTECTION=(SYSTEM:RWED,OWNER:RWED,GROUP:RE,WORLD:RE) 'HERE''NAME' 'TO'
$PLACE_OWNER:
$ IF F$IDENTIFIER("@ACCOUNT@", "NAME_TO_NUMBER") .NE. 0 THEN SET SECURITY/CLASS=FILE/OWNER=@ACCOUNT@ 'TO'
$ RETURN
$!
$! Renames all versions of TO, whether files, aliases or symbolic links: a version left behind could be the highest.
$SET_ASIDE:
$ OLD = F$SEARCH(TO + ";*")
$ IF OLD .EQS. "" THEN RETURN
$ RENAME 'OLD' 'TO'_OLD
$ GOTO SET_ASIDE
$!
$IN_PLACE:
$ SAY "Nothing was changed: the bundle must be in a directory of its own, not where NTP has its files."
$ STATUS = %X10000002
$ GOTO DONE
$!
$INCOMPLETE:
$ SAY "Nothing was changed: copy the whole bundle here first."
$ STATUS = %X10000002
$ GOTO DONE
$!
$CONFIGURED:
$ SAY "Nothing was changed. Add the lines of the configuration that should stay (driftfile and the like)"
$ SAY "to the file of the bundle, outside the marks, and run: @INSTALL_NTPKEYS REPLACE"
$ STATUS = %X10000002
$ GOTO DONE
$!
$FAILED:
$ STATUS = $STATUS
$ SET NOON
$ SAY "Stopped by an error. What was replaced has _OLD after its name."
$ IF STOPPED THEN SAY "NTP is down. Mend what was reported above and run this again: it begins anew."
$!
$DONE:
$ SET PROCESS/PARSE_STYLE='STYLE'
$ EXIT 'STATUS'
