#: star question bracket
touch a b ab abc .h 'x y'; echo *; echo ?; echo a*; echo [ab]; echo [!a]*
#: no match stays
echo nomatch* [z]* ?????????
#: quoted stays
touch a b; echo '*' "*" \*
#: hidden files
touch .a .b c; echo .[a-z]; echo *; echo .?
#: directories
mkdir -p d/e f; touch d/x d/e/y f/x; echo */x; echo d/*; echo */*/*; echo */
#: from a variable
touch q1 q2; x='q*'; echo $x "$x"; for i in $x; do echo "<$i>"; done
#: in assignments not expanded
touch a; x=*; echo "$x"; echo $x
#: noglob
touch a; set -f; echo *; set +f; echo *
#: character classes
touch a1 b2 cX 3; echo *[[:digit:]]; echo [[:alpha:]]*; echo *[[:upper:]]; echo [![:digit:]]*
#: ranges
touch a b c d e; echo [b-d] [!b-d] [a-]
#: special characters in names
touch 'a*b' 'a b' "a'b"; for i in a*; do echo "<$i>"; done; echo a\**
#: bracket without end
touch '[x'; echo [x; echo [*
#: sorted
touch c B a C b A; echo *
#: dot dot slash
mkdir d; touch d/a d/b; cd d; echo ../d/*; echo ./*
#: case patterns
for w in apple banana cherry 'a b' '*' ''; do case $w in a*e) echo 1;; b?????) echo 2;; [c-d]*) echo 3;; 'a b') echo 4;; \*) echo 5;; '') echo 6;; esac; done
#: case alternatives
for w in x y z; do case $w in x|y) echo xy;; *) echo other;; esac; done
#: case with variable pattern
p='a*'; for w in abc 'a*'; do case $w in "$p") echo literal;; $p) echo pattern;; esac; done
#: case parenthesis and no match
case x in (y) echo y;; esac; echo $?; case x in (x) false;; esac; echo $?
#: case with expansions
case $(echo hello) in h*o) echo yes;; esac; case $((1+1)) in 2) echo two;; esac
#: case empty body
case a in a) ;; *) echo no;; esac; echo $?; case a in esac; echo $?
#: case newlines
case foo in
  f*)
    echo one
    echo two
    ;;
  *) echo no
esac
#: bracket specials
for w in ']' '-' '!' a; do case $w in []]) echo close;; [-]) echo dash;; [!!]) echo other;; *) echo bang;; esac; done
#: backslash in patterns
case 'a*c' in a\*c) echo ok;; esac; x='a\*c'; case 'a*c' in $x) echo ok2;; esac
#: many stars
case aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaab in *a*a*a*a*a*a*a*c) echo no;; *a*a*b) echo yes;; esac
#: glob in for
touch 1.txt 2.txt; for f in *.txt; do echo ${f%.txt}; done
#: glob result is not split
touch 'a b.txt'; for f in *.txt; do echo "<$f>"; done
#: slash needs its own match
mkdir -p a/b; echo a* a/* a?b
