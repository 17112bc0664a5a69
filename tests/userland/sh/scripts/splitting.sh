#: default splitting
x='  a   b	c
d '; for i in $x; do echo "<$i>"; done
#: no splitting in quotes
x='a  b'; for i in "$x"; do echo "<$i>"; done
#: colon IFS
IFS=:; x=a::b:; for i in $x; do echo "<$i>"; done
#: leading delimiter
IFS=:; x=:a; for i in $x; do echo "<$i>"; done
#: mixed IFS
IFS=' :'; x=' a : b  c:: d : '; for i in $x; do echo "<$i>"; done
#: empty IFS
IFS=; x='a b c'; for i in $x; do echo "<$i>"; done
#: IFS applies to substitution
IFS=,; for i in $(echo a,b,c); do echo "<$i>"; done
#: literals are not split
IFS=o; echo foo boo; x=foo; echo $x
#: adjacent expansions
IFS=' '; x='a b' y='c d'; for i in $x$y; do echo "<$i>"; done; for i in $x"$y"$x; do echo "[$i]"; done
#: whitespace around quoted
x=' a '; for i in "b"$x"c"; do echo "<$i>"; done
#: empty expansion vanishes
x=; set -- $x "" $x; echo $#
#: expansion of only IFS
x='   '; set -- $x; echo $#; IFS=:; x=::; set -- $x; echo $#
#: newline only IFS
IFS='
'; x='a b
c d'; for i in $x; do echo "<$i>"; done
#: at with IFS
IFS=:; set -- a:b c; for i in $@; do echo "<$i>"; done; for i in "$@"; do echo "[$i]"; done
#: backslash as data
x='a\ b'; for i in $x; do echo "<$i>"; done
#: tabs kept with custom IFS
IFS=' '; x='a	b c'; for i in $x; do echo "<$i>"; done
#: splitting defaults
for i in ${x:-a b "c d"}; do echo "<$i>"; done
#: arithmetic result is split
IFS=1; for i in $((212)); do echo "<$i>"; done
#: read with IFS
echo 'a:b c:d' | { IFS=: read x y z; echo "<$x><$y><$z>"; }
#: read last takes rest
echo '  a  b  c d  ' | { read x y; echo "<$x><$y>"; }
#: read trailing delimiters
for s in a:b: a:b:c: a:b:: :a ::; do echo "$s" | { IFS=: read x y; echo "<$x><$y>"; }; done
#: read backslash
printf 'a\\ b c\\\nd e\n' | { read x y; echo "<$x><$y>"; }; printf 'a\\ b\\n\n' | { read -r x; echo "<$x>"; }
#: read at the end
printf 'abc' | { read x; echo "$? <$x>"; }; read y </dev/null; echo "$? <$y>"
#: read loop
printf '1 a\n2 b\n3 c\n' | while read n l; do echo "$l$n"; done
#: read from a file keeps the rest
printf 'one\ntwo\nthree\n' >f; { read a; read b; cat; } <f; echo $a $b
#: read with prompt and raw
printf 'x\\y\n' | { read -r -p 'prompt> ' v; echo "$v"; }
#: read several lines with cat
printf 'a\nb\nc\n' | { read x; echo "first $x"; cat; }
