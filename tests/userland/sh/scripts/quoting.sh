#: plain words
echo one two   three
#: single and double quotes
echo 'a  b' "c  d" e\ \ f
#: backslashes in double quotes
printf '%s\n' "a\b \$x \\ \" \`"
#: single quotes keep everything
printf '%s\n' 'a\b $x `y` "z"'
#: adjacent quotes
x=mid; echo a'b'"c$x"d\e
#: empty arguments
set -- "" '' x ""; echo $#; printf '<%s>' "$@"; echo
#: line continuation
echo one\
two "three\
four" 'five\
six'
#: newline in quotes
echo "a
b" 'c
d'
#: comments
echo a # comment
# whole line
echo b#not
echo '#quoted' \#escaped
#: dollar alone
echo $ "$" a$ $%
#: quotes inside words with expansions
x='a b'; printf '<%s>' pre"$x"post pre$x'post'; echo
#: escaped newline between words
echo a \
  b
#: backslash at the end of a string
printf '%s\n' 'a\' "b\\"
#: quoted reserved words
"if" 2>/dev/null; echo $?; \echo for if then
#: tilde
HOME=/h; echo ~ ~/x "~" \~ a~ x=~ '~'/y
#: tilde in assignments
HOME=/h; a=~/x:~/y:z~; echo $a; b="~"; echo $b
#: quoting removes special meaning
echo "a;b|c&d>e" 'x(y)z' \;\|
#: dollar in double quotes before quote
x=1; echo "$x$" "${x}" "$x"
#: nested quotes in substitution
echo "a $(echo "b 'c' \"d\"") e"
#: backquote nesting
echo `echo a \`echo b\` c`
#: backquotes in double quotes
echo "`echo "x  y"`" `echo 'p  q'`
#: quoted pattern characters
echo '*' "?" \[a\]
#: unusual but valid names
_a1=x; A_=y; echo $_a1$A_ ${_a1}b
#: semicolons and ampersand without spaces
echo a;echo b&&echo c||echo d
