#: output and append
echo a >f; echo b >>f; cat f; echo c >f; cat <f
#: descriptors
echo err >&2 2>/dev/null; { echo out; echo err >&2; } 2>&1 | sort
#: order matters
{ echo out; echo err >&2; } >f 2>&1; sort f; { echo out; echo err >&2; } 2>&1 >/dev/null
#: exec redirection
exec 3>f; echo three >&3; exec 3>&-; cat f; exec 4<f; read x <&4; echo $x; exec 4<&-
#: exec moves stdout
exec 3>&1 >f; echo hidden; exec >&3 3>&-; echo shown; cat f
#: closed descriptor
(echo x >&7) 2>/dev/null; echo $?; echo y 7>&-
#: here document
cat <<E
plain $HOME_NOT_SET text
  indented "quotes" 'kept'
E
#: here document expansions
x=val; cat <<E
$x ${x}s $(echo sub) `echo back` $((1+1)) \$x \\ \` "\"" 'x'
line \
continued
E
#: here document quoted
x=1; cat <<'E'
$x $(no) \n `no`
E
#: here document with tabs
cat <<-E
	one
		two
	E
echo after
#: here document delimiters
cat <<"A B"
text
A B
cat <<\E
$x
E
#: two here documents
cat <<A; cat <<B
a
A
b
B
#: here document on another descriptor
cat <&3 3<<E
three
E
#: here document in a loop
while read a b; do echo "$b $a"; done <<E
1 2
3 4
E
#: here document to function
f() { cat; }; f <<E
body
E
#: here document in substitution
x=$(cat <<E
inner
E
); echo "[$x]"
#: here document in if
if true; then cat <<E
in if
E
fi; echo end
#: here document with pipes
cat <<E | tr a-z A-Z | sed s/B/x/
abc
E
#: here document without end
cat <<E
text
#: empty here document
cat <<E
E
echo $?
#: big here document
x=0123456789; x=$x$x$x$x$x$x$x$x$x$x; x=$x$x$x$x$x$x$x$x$x$x; x=$x$x$x$x$x$x$x$x$x$x$x$x$x$x$x$x$x$x$x$x; wc -c <<E
$x$x$x$x$x
E
#: noclobber
set -C; echo a >f; echo b >f; echo $?; cat f; echo c >|f; cat f; echo d >>f; cat f; echo e >/dev/null; echo $?
#: missing file
cat <nosuch; echo $?; echo x >no/such; echo $?; : <nosuch; echo no
#: redirection without command
>f; echo $?; cat f; <nosuch; echo $?; echo end
#: redirection before and inside
>f echo a b; cat f; echo x >f y; cat f
#: read write
echo hello >f; exec 3<>f; read x <&3; echo $x; echo more >&3; exec 3<&-; cat f
#: compound redirections
for i in 1 2; do echo $i; done >f; while read x; do echo "got $x"; done <f; if true; then echo y; fi >g; cat g; { echo a; echo b; } >h; cat h; (echo s) >h; cat h
#: pipe and redirect
echo abc | cat >f; cat f | tr a-c A-C >g; cat g
#: stderr of a missing command
nosuchcmd 2>f; wc -l <f
#: target with expansion
n=out; echo x >$n.txt; cat out.txt; echo y >"a b"; cat 'a b'
#: no glob or split in target
touch q1; echo z >q*; ls; x='c d'; echo w >$x; ls
#: dup input
echo data >f; cat 0<f; exec 5<f; cat <&5
#: builtin after restore
echo a >f; echo b; cat f; read v <f; echo $v
#: closing stdin
cat <&- 2>/dev/null; echo done
#: devnull
echo a >/dev/null; cat </dev/null; echo $?
#: many descriptors
exec 3>a 4>b 5>c; echo 3 >&3; echo 4 >&4; echo 5 >&5; exec 3>&- 4>&- 5>&-; cat a b c
#: inherited by children
exec 3>f; sh -c 'echo child >&3'; exec 3>&-; cat f
#: function output captured
f() { echo out; echo err >&2; }; x=$(f 2>/dev/null); echo "[$x]"; x=$(f 2>&1); echo "[$x]"
#: swap stdout and stderr
f() { echo out; echo err >&2; }; f 3>&1 1>&2 2>&3 3>&- 2>/dev/null | cat
