# Prints what SpamAssassin's local tests say of each mail named as an argument: its name, its score, and every rule hit.
use strict;
use warnings;
use Mail::SpamAssassin;

my $judge = Mail::SpamAssassin->new({local_tests_only => 1, dont_copy_prefs => 1, userprefs_filename => '/dev/null'});
for my $name (@ARGV) {
    open my $file, '<:raw', $name or die "$name: $!";
    my $mail = $judge->parse(do { local $/; <$file> });
    my $status = $judge->check($mail);
    my @rules = grep { length && $_ ne 'none' } split /,/, $status->get_names_of_tests_hit();
    print join("\t", $name, $status->get_score(), map { "$_=" . ($judge->{conf}{scores}{$_} // 1) } @rules), "\n";
    $status->finish();
    $mail->finish();
}
